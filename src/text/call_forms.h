// add_call_form() finds how a model writes calls, by what its chat template says.
//
// A free function; any number of threads may call it.
#pragma once

#include "text/chat.h"
#include "text/chat_template.h"

namespace kvasir::text {

// Leaves kNone where the template tells no calls, or in a form that is not known.
void add_call_form(const ChatTemplate& chat_template, ReplyForm& form);

}  // namespace kvasir::text
