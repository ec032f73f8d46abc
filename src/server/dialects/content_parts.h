// These functions read who says a message, and what it says as OpenAI's clients write it: a text,
// or parts. What is wrong is kept by the FieldReader. They own nothing; any thread.
#pragma once

#include <span>
#include <string_view>

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

struct NamedRole {
  std::string_view name;
  Role role;
};
// The field "role", which must be one of the known ones.
Role read_role(const FieldReader& reader, std::span<const NamedRole> known);

// Into Message::parts, from the field `name`; left out or null, it adds none. Images, sounds and
// files become a word in brackets each, and a word in Call::ignored.
void read_content(const FieldReader& reader, std::string_view name, Message& message, Call& call);

}  // namespace kvasir::server
