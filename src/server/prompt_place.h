// place_of() finds the field of a conversation that a place of its prompt was made of. It asks the
// model's form what shorter conversations look like, so it knows no form itself.
//
// Free functions; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/conversation.h"

namespace kvasir::server {

struct PromptPlace {
  enum class Part : uint8_t {
    kSettings,  // what stands before, between or behind: `field` "reasoning_effort", or empty
    kTools,     // tools[index]
    kMessage,   // messages[index]
    kText,      // of a prompt that is no conversation
  };
  Part part = Part::kSettings;
  int64_t index = -1;  // -1: of tools, not known which
  Role role = Role::kUser;
  std::string field;       // of a message: "content", "content[1]", "reasoning", "tool_calls[0]"
  int64_t character = -1;  // of that field, counted from 0; -1: not known

  // Whether it lies in the texts that a conversation begins with.
  bool is_in_system() const {
    return part == Part::kMessage && (role == Role::kSystem || role == Role::kDeveloper);
  }
  // "message 0 (system), content, character 4794"
  std::string words() const;
};

// Whether it is told before all turns where it stands before them.
inline bool is_system(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

// A conversation and the ids that it is told in.
struct PlacedPrompt {
  std::span<const Message> messages;
  const FormOptions& form;
  std::span<const int32_t> ids;
  // The ids of another conversation in the same form; none: it has none.
  std::function<std::optional<std::vector<int32_t>>(std::span<const Message>, const FormOptions&)>
      encode;
  std::function<std::string(int32_t id)> token_text;
};

// same_ids: how many of the ids come before the place. same_bytes: how far behind these it lies.
// REQUIRES: 0 <= same_ids < ids.size().
PromptPlace place_of(const PlacedPrompt& prompt, int64_t same_ids, int64_t same_bytes);

// Likewise, of a prompt that is plain text.
PromptPlace place_in_text(std::span<const int32_t> ids,
                          const std::function<std::string(int32_t id)>& token_text,
                          int64_t same_ids, int64_t same_bytes);

// The ids that two texts begin with alike.
int64_t same_beginning(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace kvasir::server
