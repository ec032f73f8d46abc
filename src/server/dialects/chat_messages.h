// read_chat_messages reads the messages of a Chat Completions request. What is wrong with one is
// kept by the FieldReader, by its path. It owns nothing; any thread.
#pragma once

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// Into Call::messages. Images, sounds and files become a word in brackets each, and a word in
// Call::ignored. An assistant's last message that is marked as a prefix is one to continue.
void read_chat_messages(const FieldReader& body, Call& call);

}  // namespace kvasir::server
