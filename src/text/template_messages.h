// template_messages() writes messages as chat templates expect them: the objects that Hugging Face
// transformers hands to apply_chat_template.
//
// A free function; any number of threads may call it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/json.h"
#include "kvasir/conversation.h"
#include "text/template_traits.h"

namespace kvasir::text {

// kAlternating is for templates that insist: messages of one role that follow each other become
// one, a question stands first, and calls have ids of nine characters.
enum class TurnOrder : uint8_t { kAsGiven, kAlternating };

// A system message in the middle stays there, in words of a user where the template would move it.
// Where it knows no system messages, those at the start begin the first question.
// `last_text_end` is put behind the last text.
Json::Array template_messages(std::span<const Message> messages, const TemplateTraits& traits,
                              TurnOrder order, std::string_view last_text_end = "");

}  // namespace kvasir::text
