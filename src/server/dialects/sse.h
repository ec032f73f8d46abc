// Server-sent events are how streamed replies travel: a frame is some lines and an empty one. These
// functions make single frames. They own nothing; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace kvasir::server {

// "data: {"a":1}\n\n"
inline std::string sse_data(const Json& json) { return "data: " + json.dump() + "\n\n"; }

// "event: ping\ndata: {"type":"ping"}\n\n"
inline std::string sse_event(std::string_view name, const Json& json) {
  return std::string("event: ").append(name).append("\n") + sse_data(json);
}

// How streams end that OpenAI's clients read.
inline std::string sse_done() { return "data: [DONE]\n\n"; }

// ": text\n\n": bytes on the wire that no client looks at.
inline std::string sse_comment(std::string_view text) {
  return std::string(": ").append(text).append("\n\n");
}

}  // namespace kvasir::server
