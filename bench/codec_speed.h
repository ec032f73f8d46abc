// What decoding costs over caches of several precisions, side by side: engines take turns, a few
// tokens each, so that a machine whose speed drifts favours none. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct CodecSpeedOptions {
  EngineOptions engine;                 // but for `kv`
  std::vector<std::string> precisions;  // the others are compared with the first
  std::vector<int64_t> context_tokens;
  int64_t measured_tokens = 32;  // in each turn
  int repetition_count = 5;      // turns
};

// One precision behind one context.
struct CodecSpeed {
  std::string precision;
  int64_t context_tokens = 0;
  double tokens_per_second = 0;  // the median of the turns
  double tokens_per_second_min = 0;
  double tokens_per_second_max = 0;
  double ratio = 0;                  // to the first precision, of the medians
  int64_t block_bytes = 0;           // of 128 tokens
  double read_bytes_per_second = 0;  // of the cache, as it lies
};

// progress(done, all) is called behind each turn and each context that was read; false stops:
// ErrorKind::kInterrupted. Other errors: those of the engine.
using CodecProgress = std::function<bool(int64_t done, int64_t all)>;
Result<std::vector<CodecSpeed>> measure_codec_speed(const CodecSpeedOptions& options,
                                                    const CodecProgress& progress);

}  // namespace kvasir::bench
