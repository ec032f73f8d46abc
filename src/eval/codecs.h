// evaluate_codecs measures what cache precisions cost: how far the predictions of texts are from
// those of an exact cache (f32), what becomes of keys, values and attended sums, and what it takes
// to hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/codec_scores.h"
#include "eval/codec_work.h"
#include "eval/result_log.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct CodecsOptions {
  int64_t tokens = 2048;  // of each text at most
  int64_t skip = 128;     // first tokens of a text, whose predictions do not count
  bool copies = false;
  bool diverges = false;
};

// The precision that all are compared with.
inline constexpr const char* kExactPrecision = "f32";

// What is worth comparing on this model, where nobody says what. has_data: what is learnt of the
// model is at hand.
std::vector<std::string> usual_precisions(const Engine& engine, bool has_data);

// The settings that a log to be continued must have.
Json codecs_settings(const CodecsOptions& options);

// before: what stands before every text of the model, for tokens that are no text's beginning.
// Scores in the order of `precisions`. Errors: those of the engine and of the log; a precision that
// the model cannot have; a text too short; no room for the exact logits; interrupted.
Result<std::vector<CodecScores>> evaluate_codecs(const std::vector<CodecText>& texts,
                                                 const std::vector<int32_t>& before,
                                                 const CodecsOptions& options,
                                                 const std::vector<std::string>& precisions,
                                                 const OpenCodecEngine& open_engine, ResultLog& log,
                                                 const EvalProgress& progress);

}  // namespace kvasir::eval
