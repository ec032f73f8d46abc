// anthropic_error puts an ApiError into the shape that Anthropic's clients read. A pure function;
// any thread.
#pragma once

#include "base/json.h"
#include "server/api_error.h"

namespace kvasir::server {

// {"type": "error", "error": {type, message}}, for more to be added. A prompt that is too long is
// told with both numbers, in words that clients search for.
Json::Object anthropic_error(const ApiError& error);

}  // namespace kvasir::server
