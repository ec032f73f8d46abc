// Two tasks tell precisions apart that texts do not: copying, which finds far keys, and greedy
// words, which a user would see. Both are measured by feeding tokens, without generating.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "eval/codec_scores.h"
#include "eval/codec_work.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::eval {

inline constexpr int64_t kCopySequences = 2;
inline constexpr int64_t kCopyTokens = 384;  // of a sequence, which is read twice
inline constexpr int64_t kPrompts = 50;
// Two blocks, of which rows kept whole spare one, and a half.
inline constexpr int64_t kPromptTokens = 320;
inline constexpr int64_t kContinuedTokens = 64;

// Returns how many tokens each takes in one precision.
int64_t copy_tokens();
int64_t divergence_tokens();

// Random tokens, twice: how many of the second time are predicted right. before: what stands before
// every text of the model. Errors: those of the engine.
Result<CopyScore> score_copy(Engine& engine, std::span<const int32_t> before, CodecWork& work);

// Prompts and how an exact cache continues them.
struct Continuation {
  std::vector<int32_t> prompt;
  std::vector<int32_t> tokens;
};
// Returns prompts that lie evenly in the texts, without continuations. Error: a text is shorter.
Result<std::vector<Continuation>> prompts_of(const std::vector<CodecText>& texts,
                                             std::span<const int32_t> before);
// Decodes greedily with the engine's cache. Errors: those of the engine.
Status continue_prompts(Engine& engine, std::vector<Continuation>& continuations, CodecWork& work);
// The continuations alone, as an entry of the log has them. Error: nothing that to_json() made.
Json to_json(const std::vector<Continuation>& continuations);
Status take_continuations(const Json& entry, std::vector<Continuation>& continuations);

Result<DivergenceScore> score_divergence(Engine& engine,
                                         const std::vector<Continuation>& continuations,
                                         CodecWork& work);

}  // namespace kvasir::eval
