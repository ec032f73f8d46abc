// read_messages_input reads the conversation of a Messages request. What is wrong is kept by the
// FieldReader, by its path. It owns nothing; any thread.
#pragma once

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// `system` and `messages`, into Call::messages; a last message of the assistant is one to continue.
// A tool's result is a message of its own. Turns of one role that follow each other are one, as
// Anthropic has it. Images and the like become a word in brackets each, and a word in
// Call::ignored. Marks for a cache change nothing.
void read_messages_input(const FieldReader& body, Call& call);

}  // namespace kvasir::server
