// arranged_turns() puts the messages of a conversation into the turns that DeepSeek-V4's form has.
//
// Plain values. The turns refer to the messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvasir/conversation.h"

namespace kvasir::text {

struct DeepSeekTurn {
  enum class Kind : uint8_t { kUser, kToolResult, kAssistant, kReminder };

  Kind kind = Kind::kUser;
  std::string text;
  const Message* message = nullptr;  // of kAssistant and kToolResult
};

struct DeepSeekTurns {
  std::string system;  // what stands before all turns
  std::vector<DeepSeekTurn> turns;
};

// Without a place for reminders they are told as system messages in the middle are.
DeepSeekTurns arranged_turns(std::span<const Message> messages, bool has_reminders);

}  // namespace kvasir::text
