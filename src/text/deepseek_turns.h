// arranged_turns() puts the messages of a conversation into the turns that the forms of DeepSeek-V4
// and V4.1 have.
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
  enum class Kind : uint8_t { kUser, kToolResult, kAssistant, kReminder, kSystem };

  Kind kind = Kind::kUser;
  std::string text;
  const Message* message = nullptr;  // of kAssistant and kToolResult
};

struct DeepSeekTurns {
  std::string system;  // what stands before all turns
  std::vector<DeepSeekTurn> turns;
};

// Without a place for reminders they are told as system messages in the middle are.
DeepSeekTurns arranged_turns(std::span<const Message> messages, bool has_reminders,
                             bool keeps_places);

}  // namespace kvasir::text
