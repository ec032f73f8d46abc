// A JsonCall reads one call of a tool that is an object of JSON, character by character:
//
//   {"name": "f", "arguments": {"a": 1}}
//
// It tells the name as soon as it is read, and the arguments as they come, byte for byte. Members
// may stand in any order, arguments may be called parameters, and may be JSON in a string. What has
// another member before its name is no call.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/call_reader.h"

namespace kvasir::text {

class JsonCall {
 public:
  enum class State : uint8_t { kOpen, kEnded, kNoCall };

  // Pieces go to `calls`, which must outlive it.
  explicit JsonCall(CallPieces& calls) : calls_(&calls) {}

  // The name stood before, and the object is the arguments alone. REQUIRES: nothing was pushed.
  void begin_arguments_of(std::string name);
  // REQUIRES: what was before left it open. The first one is a brace.
  State push(char c);
  // Returns whether its name is known, and so it is a call.
  bool has_name() const { return has_name_; }

 private:
  enum class Part : uint8_t { kNone, kName, kArguments };

  State push_character(char c);
  void push_in_string(char c);
  State push_outside(char c);
  State end_string();
  void tell(char c);
  void tell_arguments(std::string_view text);
  State end();

  CallPieces* calls_;
  int depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
  bool in_value_ = false;  // of the outer object
  Part part_ = Part::kNone;
  bool is_forwarded_ = false;  // the value is the arguments
  bool has_name_ = false;
  bool is_arguments_alone_ = false;
  bool has_arguments_ = false;
  std::string string_;     // of the outer object, in its quotes
  std::string arguments_;  // that came before the name
};

}  // namespace kvasir::text
