// Ids of the tool calls of a reply. A pure function; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::server {

inline constexpr std::string_view kOpenAiCallPrefix = "call_00_";
inline constexpr std::string_view kAnthropicCallPrefix = "toolu_";

// The prefix and 24 letters and digits that follow from the rest alone, so whoever knows a reply
// knows the ids of its calls. Nobody can guess them who cannot guess ReplyFacts::id.
std::string call_id(std::string_view prefix, std::string_view reply_id, int64_t choice,
                    int64_t call);

}  // namespace kvasir::server
