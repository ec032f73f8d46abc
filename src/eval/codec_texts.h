// exact_logits and score_texts compare how a model predicts texts from a coded cache and from an
// exact one, token by token: each text is the whole of a session, and every token is predicted from
// the cache as it is kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/codec_scores.h"
#include "eval/codec_work.h"
#include "eval/logits_file.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::eval {

// The tokens of each text that are read.
using TextSpans = std::vector<std::span<const int32_t>>;

// Returns the logits of all tokens, text after text. Errors: those of the engine, no room for them.
Result<LogitsFile> exact_logits(Engine& engine, const TextSpans& texts, CodecWork& work);

// Compares what the tokens from `skip` on predict, each the next one. exact: of exact_logits.
// Errors: those of the engine; logits that are not finite. REQUIRES: texts of `skip` + 2 tokens at
// least.
Result<TextScores> score_texts(Engine& engine, const TextSpans& texts, int64_t skip,
                               const LogitsFile& exact, CodecWork& work);

}  // namespace kvasir::eval
