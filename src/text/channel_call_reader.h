// A ChannelCallReader reads calls that are messages to tools, which a ReplyParser has found by
// their markers:
//
//   <|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>
//
// The object is the arguments; what stands around it is not told. Behind the first call only calls
// are read. One thread at a time.
#pragma once

#include <optional>
#include <string>

#include "text/call_reader.h"
#include "text/json_call.h"

namespace kvasir::text {

class ChannelCallReader : public CallReader {
 public:
  explicit ChannelCallReader(int64_t calls_max) : CallReader(calls_max) {}

 private:
  void read(const ReplyText& said, bool is_marker) override;
  void release() override {}

  void begin(const std::string& name);
  void read_arguments(char c);

  std::optional<JsonCall> call_;  // that may go on
  bool has_brace_ = false;        // it has begun
};

}  // namespace kvasir::text
