// read_response_input reads the conversation of a Responses request. What is wrong is kept by the
// FieldReader, by its path. It owns nothing; any thread.
#pragma once

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// `instructions` and `input`, into Call::messages. Reasoning, messages and calls of the assistant
// that follow each other are one message, so that a form writes one turn. Unknown kinds of items
// are left out, and become a word in Call::ignored.
void read_response_input(const FieldReader& body, Call& call);

}  // namespace kvasir::server
