// Messages as JSON, for a book of ours. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/conversation.h"

namespace kvasir::replay {

std::string text_of(const std::vector<Message>& messages);
// None: nothing that text_of makes.
std::optional<std::vector<Message>> messages_of(const std::string& text);

}  // namespace kvasir::replay
