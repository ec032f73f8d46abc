// These functions measure the tokens per second of a whole engine, through its public interface, on
// random token ids. One thread.
#pragma once

#include <cstdint>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct SpeedOptions {
  int64_t context_tokens = 512;   // held by each session before the measured part
  int64_t measured_tokens = 512;  // per session
  int64_t session_count = 1;      // decoded together, one token each per pass
  int repetition_count = 3;       // the best one counts: others shared the machine with something
};

struct Speed {
  double tokens_per_second = 0;  // over all sessions
  double milliseconds = 0;       // of the measured part
  int64_t kv_bytes = 0;          // of the cache at the end
};

// Reads a prompt of context_tokens + measured_tokens and times the last measured_tokens.
Result<Speed> measure_prefill(Engine& engine, const SpeedOptions& options);
// Times measured_tokens single steps after a prompt of context_tokens.
Result<Speed> measure_decode(Engine& engine, const SpeedOptions& options);

}  // namespace kvasir::bench
