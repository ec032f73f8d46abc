// compare_prompt() looks for the earlier prompt that a new one could go on from, among those that
// this server saw and, behind a restart, in the store. It runs on the work queue's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "server/prepare.h"
#include "server/reuse_report.h"

namespace kvasir::server {

// Before the prompt itself is remembered.
PromptComparison compare_prompt(const Served& served, const Call& call,
                                const PreparedPrompt& prompt, const std::string& salt);

// Remembers the prompt under the id of its reply. What is returned takes what was said to it.
std::function<void(std::span<const int32_t> said)> remember_prompt(const Served& served,
                                                                   const Call& call,
                                                                   const PreparedPrompt& prompt,
                                                                   const std::string& salt,
                                                                   const std::string& reply_id);

}  // namespace kvasir::server
