// calibrate learns from a text what some precisions of a cache need besides the rows: means,
// codebooks and bases of a model's keys, values and latents. It writes them to a file, which
// EngineOptions::kv_data names. It also says which precisions the model's keys do not bear.
// Pure functions, but for the file.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir {

// What is learnt of fewer tokens says too little.
inline constexpr int64_t kCalibrationTokensMin = 256;

// A layer's keys are broken by a precision that loses more than this of what tells them apart:
// ||k - k'|| / ||k - mean of k||, the means those of keys before they are turned by position.
inline constexpr double kBrokenKeys = 0.5;

// Told the layers done and those in all. Returns false to stop.
using CalibrationProgress = std::function<bool(int64_t done_layers, int64_t layer_count)>;

// A WatchedPrecision is what a precision makes of a model's keys, or latents.
struct WatchedPrecision {
  std::string precision;
  std::vector<double> layer_errors;    // [layers], as kBrokenKeys has them; 0: none in blocks
  std::vector<int64_t> broken_layers;  // ascending
  // A precision that leaves the keys of these layers in BF16. Empty: no layer is broken, or most.
  std::string remedy;
};

struct CalibrationReport {
  int64_t token_count = 0;
  int64_t layer_count = 0;  // of which something was learnt
  std::vector<WatchedPrecision> watched;
};

// Returns precisions that are worth watching on this model.
std::vector<std::string> watchable_precisions(const Engine& engine);

// Reads ids in one pass, whose memory grows with them, and writes the file. `options`: of the
// model; its precision and pass are not used, its context is: a rope that it chooses (Phi-3) is
// another model. watched: precisions that need nothing learnt. Errors: those of the engine; fewer
// tokens than kCalibrationTokensMin; a model whose cache takes no such precision; a file that
// cannot be written; interrupted.
Result<CalibrationReport> calibrate(const EngineOptions& options, std::span<const int32_t> ids,
                                    const std::vector<std::string>& watched,
                                    const std::string& path, const CalibrationProgress& progress);

}  // namespace kvasir
