// ReplyStream turns the ids of a reply into what may be shown of it: reasoning and answer apart, no
// marker of a turn, nothing behind a stop string. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "kvasir/chat.h"
#include "text/chat.h"

namespace kvasir {

class ReplyStream {
 public:
  // The form's tokenizer must outlive the stream.
  ReplyStream(const text::ReplyForm& form, bool starts_in_reasoning,
              const std::vector<std::string>& stop_strings, ChatSink on_text);

  // Takes the next id. Returns why the reply ends with it; nothing where it goes on.
  std::optional<StopReason> push(int32_t id);
  // Shows the text that was held back. REQUIRES: called once, after the last id.
  void finish();

 private:
  void show(const text::ReplyText& piece);
  void emit(std::string_view piece, bool is_reasoning);

  text::ReplyParser parser_;
  StopMatcher reasoning_markers_;
  StopMatcher answer_markers_;
  StopMatcher stops_;
  ChatSink on_text_;
};

}  // namespace kvasir
