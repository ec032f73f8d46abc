// reply_form_of tells how the replies of an engine's model are told apart: by its chat template, or
// else by the chat markers of its tokenizer.
#pragma once

#include "kvasir/engine.h"
#include "kvasir/result.h"
#include "text/chat.h"

namespace kvasir {

// The form refers to the engine. Errors: no tokenizer; neither a chat template nor chat markers.
Result<text::ReplyForm> reply_form_of(const Engine::State& engine);

}  // namespace kvasir
