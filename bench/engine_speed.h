// These functions measure the tokens per second of a whole engine, through its public interface, on
// random token ids, and what its passes cost. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/pass_meter.h"
#include "kvasir/result.h"

namespace kvasir::bench {

enum class SpeedOf { kPrefill, kDecode };

struct SpeedOptions {
  SpeedOf what = SpeedOf::kPrefill;
  std::vector<int64_t> depths;    // tokens that each session holds before; ascending
  int64_t measured_tokens = 512;  // per session
  int64_t session_count = 1;      // decoded together, one token each per pass
  int repetition_count = 3;       // the best one counts: others shared the machine with something
  PassMeter* meter = nullptr;     // the engine's (StudyOptions::meter)
};

// What was measured at one depth.
struct Speed {
  int64_t depth_tokens = 0;
  double tokens_per_second = 0;  // over all sessions
  double milliseconds = 0;       // of the measured part
  int64_t kv_bytes = 0;          // of the cache at the end
  // Of one more run that does not count, since measuring takes time too. Its parts are of a little
  // longer passes.
  PassMeter cost;
};

// Prefill times how measured_tokens are read behind each depth, decode as many single steps. What
// lies before is read once for all depths and runs.
Result<std::vector<Speed>> measure_speed(Engine& engine, const SpeedOptions& options);

}  // namespace kvasir::bench
