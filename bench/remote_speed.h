// These functions measure what a remote tier saves: the time to the first token behind a prompt
// that another server has computed, on a machine whose own store is empty. Everything but what they
// leave at the engines lies in a folder of its own that is deleted.
#pragma once

#include <array>
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
  int64_t resumes = 1;                // of the Flash geometry: prompts that are brought at a time
  int64_t ram_bytes = 0;              // ... the cache's RAM budget; 0: all rows in RAM
};

struct RemoteTimes {
  int64_t tokens = 0;
  double cold_ms = 0;  // all resumes computed; of the Flash geometry: at kFlashTokensPerS
  // All from an empty own store; under a RAM budget until the rows that a token picks are there.
  double remote_ms = 0;
  double local_ms = 0;  // one of them once more, from the own store
  int64_t remote_tokens = 0;
  int64_t read_bytes = 0;  // from the engines
  int64_t round_trips = 0;
  double cpu_s = 0;        // of this process, from asking to the end of the resumes
  int64_t ram_bytes = -1;  // by which it grew at most while they were brought; -1: not measured
  // Calls to the engines, writing and bringing.
  std::array<Histogram, kRemoteOperationCount> seconds;
};

// What a conversation leaves at the engines where each turn is written before the next begins.
struct RemoteConversation {
  int64_t turns = 0;
  int64_t tokens = 0;
  int64_t written_objects = 0;
  int64_t written_bytes = 0;
  int64_t store_bytes = 0;  // written to the own store meanwhile
};

// What the Flash geometry, which has rows but no model here, is taken to compute.
inline constexpr double kFlashTokensPerS = 500;

// With a model; `options` without a store. Error: what was written was not found.
Result<std::vector<RemoteTimes>> measure_remote_model(const EngineOptions& options,
                                                      const RemoteOrder& order);
// The rows of DeepSeek-V4-Flash, made up, and the states behind them.
Result<std::vector<RemoteTimes>> measure_remote_flash(const RemoteOrder& order);
// A conversation of these rows; a turn is kTurnPromptTokens and an answer of kTurnAnswerTokens.
inline constexpr int64_t kTurnPromptTokens = 400;
inline constexpr int64_t kTurnAnswerTokens = 200;
Result<RemoteConversation> measure_remote_conversation(const RemoteOrder& order, int64_t turns);

}  // namespace kvasir::bench
