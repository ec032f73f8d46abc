// A TurnRecorder hears the answers to one prompt and writes what the model said into the books, so
// that the conversation goes on from it when the client sends it back, or names its reply. One
// thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvasir/conversations.h"
#include "kvasir/replay.h"
#include "kvasir/scheduler.h"
#include "server/dialects/reply_parts.h"

namespace kvasir::server {

// What the dialect calls a call: of answer `answer` the one with that index.
using CallIdOf = std::function<std::string(int64_t answer, int64_t index)>;

struct RecordedPrompt {
  std::shared_ptr<ReplayBook> book;
  std::string tenant;
  std::vector<int32_t> ids;    // of the prompt
  int64_t opening_tokens = 0;  // the last of them, with which the turn begins
  std::string name;            // what replies give to be sent back
  CallIdOf call_id;
  // What of the first answer is kept by the reply's id; null: nothing.
  std::shared_ptr<ConversationBook> conversations;
  KeptReply kept;  // without what only the end tells
  std::function<std::string(std::span<const int32_t> ids)> key_of;
};

class TurnRecorder {
 public:
  TurnRecorder(RecordedPrompt prompt, int answer_count)
      : prompt_(std::move(prompt)), answers_(static_cast<size_t>(answer_count)) {}

  // Of this prompt's events all kPiece and kEnded. Error: the book's file did not take a turn.
  Status take(const ServiceEvent& event);

 private:
  Message shown(int64_t answer) const;
  Status keep(const ServiceEvent& event);

  RecordedPrompt prompt_;
  std::vector<ReplyParts> answers_;  // as the client was told them
};

}  // namespace kvasir::server
