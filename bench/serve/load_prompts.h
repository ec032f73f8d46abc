// These functions make up what clients ask for: texts of words drawn from a seed, and the bodies of
// requests around them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/serve/load_client.h"

namespace kvasir::bench {

// Equal seeds, equal words; different seeds differ from the first words on.
std::string made_up_words(uint64_t seed, int64_t count);

// A streamed completion of plain text that goes on to tokens_max.
Ask completion(const std::string& model, const std::string& prompt, int64_t tokens_max);
// Of one token, not streamed.
Ask whole_completion(const std::string& model, const std::string& prompt);

// Turns of a conversation: who speaks and what.
using Turns = std::vector<std::pair<std::string, std::string>>;
Ask chat_completion(const std::string& model, const Turns& turns, int64_t tokens_max);

}  // namespace kvasir::bench
