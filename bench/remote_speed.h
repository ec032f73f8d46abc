// These functions measure what a remote tier saves: the time to the first token behind a prompt
// that another server has computed, on a machine whose own store is empty. Everything but what they
// leave at the engines lies in a folder of its own that is deleted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/remote.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct RemoteOrder {
  std::string directory;  // of the own stores
  RemoteOptions remote;
  std::vector<int64_t> token_counts;  // prompts, each of random tokens of its own
};

struct RemoteTimes {
  int64_t tokens = 0;
  double cold_ms = 0;    // computed; of the Flash geometry: at kFlashTokensPerS
  double remote_ms = 0;  // from an empty own store
  double local_ms = 0;   // the same once more, from the own store
  int64_t remote_tokens = 0;
  int64_t read_bytes = 0;  // from the engines
  int64_t round_trips = 0;
};

// What the Flash geometry, which has rows but no model here, is taken to compute.
inline constexpr double kFlashTokensPerS = 500;

// With a model; `options` without a store. Error: what was written was not found.
Result<std::vector<RemoteTimes>> measure_remote_model(const EngineOptions& options,
                                                      const RemoteOrder& order);
// The rows of DeepSeek-V4-Flash, made up, and the states behind them.
Result<std::vector<RemoteTimes>> measure_remote_flash(const RemoteOrder& order);

}  // namespace kvasir::bench
