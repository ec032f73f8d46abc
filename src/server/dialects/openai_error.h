// openai_error puts an ApiError into the shape that OpenAI's clients read. A pure function; any
// thread.
#pragma once

#include "base/json.h"
#include "server/api_error.h"

namespace kvasir::server {

// {"error": {message, type, param, code}}. A prompt that is too long is told with both numbers, in
// words that clients search for; `input_field` is where it came from: "messages", "prompt".
Json openai_error(const ApiError& error, const char* input_field);

}  // namespace kvasir::server
