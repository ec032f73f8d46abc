// CodecScores is what evaluate_codecs measures of one cache precision. The parts that take time are
// also entries of its log, as JSON. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/estimate.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"
#include "kvasir/study.h"

namespace kvasir::eval {

// How the tokens of texts are predicted, beside an exact cache.
struct TextScores {
  SeriesMean kl;                    // KL(exact || this), nats a token
  double kl_99 = 0;                 // which 99 % of the tokens stay below
  int64_t same_count = 0;           // tokens for which the same one is most likely
  SeriesMean nats_more;             // loss more than the exact cache's
  std::vector<double> text_nats;    // loss a token, of each text
  double nats = 0;                  // of all
  double prefill_tokens_per_s = 0;  // all logits computed
};
Json to_json(const TextScores& scores);

// Relative errors, root of the sums of squares, of each layer that has any.
struct LayerErrors {
  double mean = 0;
  double worst = 0;
  int64_t worst_layer = -1;  // -1: nothing was compared
};
Json to_json(const LayerErrors& errors);

struct CodecErrors {
  LayerErrors keys;
  LayerErrors values;
  LayerErrors attended;
};
// [layers]
CodecErrors summarise(const std::vector<CodingErrors>& layers);
Json to_json(const CodecErrors& errors);

struct CopyScore {
  int64_t right_count = 0;
  int64_t count = 0;
};
Json to_json(const CopyScore& score);

// The first token, of those compared, that greedy decoding would choose otherwise; by prompt. As
// many as were compared: none.
struct DivergenceScore {
  std::vector<int64_t> first_tokens;
  Estimate mean_tokens() const;
};
Json to_json(const DivergenceScore& score);

struct CodecScores {
  std::string precision;
  CacheSize size;
  TextScores texts;
  CodecErrors errors;
  std::optional<CopyScore> copy;
  std::optional<DivergenceScore> divergence;

  double bits() const { return size.bits(); }  // of a value in a block
  double held_bits(
      int64_t token_count) const;  // of a session of that many tokens, all that it holds
  double bytes_per_token() const;
};

// What the log has under a name. Error: nothing that to_json() made.
Result<TextScores> text_scores_of(const Json& entry);
Result<CodecErrors> codec_errors_of(const Json& entry);
Result<CopyScore> copy_score_of(const Json& entry);
Result<DivergenceScore> divergence_score_of(const Json& entry);

}  // namespace kvasir::eval
