// A JsonCallReader reads calls that are objects of JSON (JsonCall), in what stands around them:
//
//   kTagged   <tool_call> {...} </tool_call> ...   anywhere in the answer
//   kBare     {...} ; {...} ...                    the whole answer; or behind <|python_tag|>
//   kListed   [TOOL_CALLS] [{...}, {...}]          anywhere in the answer
//   kNamed    [TOOL_CALLS] f [ARGS] {...} ...      likewise; objects are the arguments alone
//
// What turns out to be no call is text. Behind the first call only calls are read. Reasoning is
// left alone. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/call_reader.h"
#include "text/json_call.h"

namespace kvasir::text {

// What stands before calls.
std::string_view opening_of(CallForm form);

class JsonCallReader : public CallReader {
 public:
  // `form`: one of those above.
  JsonCallReader(CallForm form, int64_t calls_max)
      : CallReader(calls_max), form_(form), opening_(opening_of(form)) {}

 private:
  enum class Place { kText, kBefore, kCall, kBehind };

  void read(const ReplyText& said, bool is_marker) override;
  void release() override;

  void read_text(char c);
  // Behind an opening, before the brace.
  void read_before(char c);
  void read_call(char c);
  void read_behind(char c);
  void begin_call();
  // Returns whether the name before the brace may be one.
  bool begin_named();
  // What was held is text after all.
  void tell_held();

  CallForm form_;
  std::string_view opening_;
  bool at_start_ = true;  // of the answer, but for blanks
  Place place_ = Place::kText;
  std::string held_;
  std::optional<JsonCall> call_;
};

}  // namespace kvasir::text
