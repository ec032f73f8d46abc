// How a group of servers tells which conversation a request belongs to: a header that a proxy
// before them can hash, so that the turns of one conversation come to one server. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::server {

// What clients send back, and proxies look at.
inline constexpr const char* kSessionHeader = "x-kvasir-session";
// A request with it ends once other servers can go on from it.
inline constexpr const char* kHandoverHeader = "x-kvasir-handover";
// What other servers left of a request with it is brought here, and nothing is computed: the turn
// that goes on from there has not been written yet.
inline constexpr const char* kPrefetchHeader = "x-kvasir-prefetch";

// Returns the name that an answer carries: what came in the header, which a proxy may have hashed,
// else what the client calls its conversation, else `fresh`. A hash of it where a header cannot
// have it. sent: null where there was no header.
std::string session_name(const std::string* sent, std::string_view conversation,
                         const std::string& fresh);

}  // namespace kvasir::server
