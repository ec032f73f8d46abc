// What a server of Redis's protocol says of itself in INFO, and what is to be said about that.
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "store/remote/object_client.h"

namespace kvasir::store::remote {

// `info`: its sections "server" and "memory". What they do not say stays unknown.
EngineFacts facts_of_info(std::string_view info, const std::string& server);
// Adds another server of the same cluster.
void add_facts(const EngineFacts& more, EngineFacts& all);

}  // namespace kvasir::store::remote
