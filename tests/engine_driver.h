// Driving an engine in tests: open or die, run tokens in given pieces, keep every token's logits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvasir/engine.h"

namespace kvasir::testing {

// The plain loops, `ref`, and the instruction sets that this processor runs.
std::vector<std::string> supported_instruction_sets();

// Ends the test program when the engine does not open.
Engine open_engine(const EngineOptions& options);
Session new_session(Engine& engine);

// Whitespace-separated ids of a file.
std::vector<int32_t> read_tokens(const std::string& path);
// Deterministic ids in [0, vocab).
std::vector<int32_t> random_tokens(int64_t count, int64_t vocab, uint64_t seed);

// Appends all tokens; returns their logits [tokens, vocab].
std::vector<float> append_all(Session& session, std::span<const int32_t> tokens);

// Index of the first token whose logits differ in any bit, or -1.
int64_t first_difference(std::span<const float> a, std::span<const float> b, int64_t vocab);

}  // namespace kvasir::testing
