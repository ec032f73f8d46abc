// A MessageHead reads what stands before the text of a message, where a reply is several messages
// in channels (gpt-oss):
//
//   <|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace kvasir::text {

// None of these ends a reply.
struct ChannelMarkers {
  int32_t start = 0;
  int32_t channel = 0;
  int32_t message = 0;    // ends a head
  int32_t end = 0;        // of a message
  int32_t constrain = 0;  // before the name of a format

  bool contains(int32_t id) const {
    return id == start || id == channel || id == message || id == end || id == constrain;
  }
};

// Nothing: the vocabulary has not all of them.
std::optional<ChannelMarkers> channel_markers(const Tokenizer& tokenizer);

class MessageHead {
 public:
  void clear() { *this = MessageHead(); }
  void begin_channel() {
    add(" ");
    channel_at_ = text_.size();
  }
  void add(std::string_view text) { text_ += text; }
  // Returns whether its text before all markers may be one: the name of a tool.
  bool may_begin() const;
  std::string take();

  // What follows the marker of channels. Empty: there was none.
  std::string_view channel() const;
  // The tool that the message goes to, by the name that it was told with. Empty: to none.
  std::string_view tool() const;

 private:
  std::string text_;
  std::optional<size_t> channel_at_;
};

}  // namespace kvasir::text
