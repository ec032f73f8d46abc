// These functions measure what a store costs and gives: bytes written and read for a long
// conversation, how fast it is read back, and how much sooner the first token comes. Everything
// lies in a folder of its own that is deleted.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::bench {

// ConversationOptions describe an agent's conversation. Its cache has the geometry of
// DeepSeek-V4-Flash and made-up rows.
struct ConversationOptions {
  std::string directory;  // on the device to measure
  int64_t total_tokens = 100'000;
  int64_t first_prompt_tokens = 25'000;
  int64_t turn_count = 50;
  double answer_share = 0.2;  // of a later turn's tokens
  int pair_count = 24;        // of reads, restored and plain
};

struct ConversationCost {
  int64_t cache_bytes = 0;    // blocks and one state: what has to be kept at least
  int64_t written_bytes = 0;  // records of all turns, headers and padding included
  int64_t file_bytes = 0;     // on the device at the end
  int64_t read_bytes = 0;     // to continue after a restart
  int64_t block_count = 0;
  int64_t state_count = 0;
  // The same conversation in a store that writes whole float32 snapshots: one of the first prompt,
  // one every 10,240 tokens, one at the end.
  int64_t snapshot_written_bytes = 0;
  int64_t snapshot_read_bytes = 0;
};

// A ReadSpeed says how fast a conversation is read back, with several reads in flight. Plain reads
// are the same bytes by pread alone, in the same order and depth, without checksums, and nothing is
// kept. Devices waver, so both are timed in pairs: one right after the other, each first in turn.
struct ReadSpeed {
  double restored = 0;  // bytes per second, median
  double plain = 0;     // the same
  // restored / plain within a pair: quartiles.
  double ratio_low = 0;
  double ratio = 0;
  double ratio_high = 0;
};

struct RestoreSpeed {
  ReadSpeed cold;  // dropped from the page cache before
  ReadSpeed warm;  // in the page cache
};

struct ConversationResult {
  ConversationCost cost;
  RestoreSpeed speed;
};

Result<ConversationResult> measure_conversation(const ConversationOptions& options);

// A FirstToken has the milliseconds until the next token can be sampled, behind random tokens.
struct FirstToken {
  int64_t tokens = 0;
  double prefilled_ms = 0;
  double restored_ms = 0;  // in a new engine, from the store; opening it included
};

// `options` without a store.
Result<FirstToken> measure_first_token(const EngineOptions& options, const std::string& directory,
                                       int64_t token_count);

}  // namespace kvasir::bench
