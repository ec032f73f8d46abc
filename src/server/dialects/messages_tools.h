// read_message_tools reads the tools of a Messages request and which of them the model is to call:
// `tools` and `tool_choice`. Tools with a type of their own run at Anthropic's; they are left out
// and become a word in Call::ignored. What is wrong is kept by the FieldReader. It owns nothing;
// any thread.
#pragma once

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

void read_message_tools(const FieldReader& body, Call& call);

}  // namespace kvasir::server
