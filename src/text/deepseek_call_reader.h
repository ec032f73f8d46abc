// A DeepSeekCallReader reads the calls that add_tool_calls() writes, as models sample them:
//
//   <｜DSML｜tool_calls> <｜DSML｜invoke name="f"> <｜DSML｜parameter name="p" string="true"> value
//   ...
//
// What makes a tag is the id of ｜DSML｜; where it is spelled out it is text. Newlines before the
// block belong to it. It bears missing newlines and closing tags, other names of the block and a
// block without its opening tag, which the prompt may have opened; calls also end reasoning. Text
// between tags is not told. Values of other types than text come as they are, JSON or not.
//
// One thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "text/call_reader.h"

namespace kvasir::text {

class DeepSeekCallReader : public CallReader {
 public:
  explicit DeepSeekCallReader(int64_t calls_max) : CallReader(calls_max) {}

 private:
  enum class Place { kText, kTag, kValue, kBetween };

  void read(const ReplyText& said, bool is_marker) override;
  void release() override;

  void read_in(std::string ReplyText::*part, std::string_view text, bool is_marker);
  void read_text(std::string_view text);
  void read_marker();
  // Takes the text's beginning.
  void read_tag(std::string_view& text);
  // Tells what is held but for its end.
  void tell_but(size_t bytes);
  bool tag_is_complete() const;
  void begin_tag(bool is_closing);
  void end_tag();
  void end_value();
  void end_call();
  void begin_parameter(std::string_view tag);

  Place place_ = Place::kText;
  std::string ReplyText::*part_ = &ReplyText::answer;  // of the text that is held
  std::string held_;
  std::string lead_;  // of the tag that may begin the calls: what it is if it does not
  std::string tag_;
  bool is_closing_ = false;  // of the tag
  bool is_text_ = false;     // of the value
  bool has_parameters_ = false;
};

}  // namespace kvasir::text
