// evaluate_perplexity measures how well a model predicts a text that is cut into windows. Every
// token is predicted from the cache as it is kept: attention sees compressed and rounded rows, as
// it does when the model generates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "eval/estimate.h"
#include "eval/eval_run.h"
#include "eval/pieces.h"
#include "eval/result_log.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct PerplexityOptions {
  std::vector<int64_t> lengths = {512, 2048, 8192};
  int64_t tokens_per_length_max = 65536;
};

// One run at one window length.
struct PerplexityCell {
  int64_t length_tokens = 0;
  int64_t window_count = 0;
  int64_t token_count = 0;
  Estimate nats_per_token;  // over windows
  double bits_per_byte = 0;
  Estimate difference;  // of nats per token, against the first run, window by window
};

struct PerplexityRow {
  EvalRun run;
  std::vector<PerplexityCell> cells;
};

Json perplexity_settings(const PerplexityOptions& options);

// ids: BOS and the tokens of the text. Windows of each length, one after the other from its start,
// each behind a BOS. Errors: those of the engine and of the log, a text shorter than a window,
// interrupted.
Result<std::vector<PerplexityRow>> evaluate_perplexity(std::span<const int32_t> ids,
                                                       const PerplexityOptions& options,
                                                       const std::vector<EvalRun>& runs,
                                                       const OpenEngine& open_engine,
                                                       ResultLog& log,
                                                       const EvalProgress& progress);

}  // namespace kvasir::eval
