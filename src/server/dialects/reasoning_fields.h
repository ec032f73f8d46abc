// These functions read how much a model is to reason, in the ways that clients say it. What is
// wrong is kept by the FieldReader. They own nothing; any thread.
#pragma once

#include <string_view>

#include "kvasir/conversation.h"
#include "server/field_reader.h"

namespace kvasir::server {

// A degree under the field `name`: "low", "high".
void read_effort(const FieldReader& reader, std::string_view name, FormOptions& form);

// The fields of a whole body. Clients know four ways to say it; where they say two things, the
// variable of the template wins.
void read_reasoning(const FieldReader& body, FormOptions& form);

}  // namespace kvasir::server
