// These functions read what a client wants to be kept, and for how long: Anthropic's cache_control,
// OpenAI's breakpoints and options. Free functions; any thread.
#pragma once

#include <cstdint>

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// Adds a mark behind that many messages where the object has the field.
void read_cache_mark(const FieldReader& object, const char* name, int64_t message_count,
                     Call& call);

// prompt_cache_options.ttl, prompt_cache_retention: marks the whole prompt, and says how long all
// marks of this dialect hold.
void read_cache_options(const FieldReader& body, Call& call);

}  // namespace kvasir::server
