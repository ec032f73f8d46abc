// These functions say which beginnings of a prompt are to be kept in the store: those that the
// client marked, for a time, and what the prompts of its project begin with. They run on the work
// queue's threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/prepare.h"

namespace kvasir::server {

std::vector<Keep> kept_beginnings(const Served& served, const Call& call,
                                  const PreparedPrompt& prompt, const std::string& salt);

// How many of the ids are told before all turns: system texts, tools and the like.
int64_t front_tokens(const Served& served, const Call& call, const PreparedPrompt& prompt);

}  // namespace kvasir::server
