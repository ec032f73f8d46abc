// What a cache costs where only its hot parts are in RAM, and what it costs on disk: arithmetic on
// a layout, allocating nothing. Residency keeps to it; the planner tells it beforehand.
#pragma once

#include <cstdint>

#include "kv/layout.h"

namespace kvasir::persist {

// Long prefills are worth continuing in their middle: so far from the newest state another is kept.
inline constexpr int64_t kStateIntervalTokens = 4096;

// What a forward pass may ask for.
struct PassNeeds {
  int64_t tokens_max = 0;
  int64_t picked_rows_max = 0;  // cold rows that one token attends in a layer
};

// RAM of a cache whose cold rows lie in the store, beside fixed and hot parts.
struct ColdFootprint {
  int64_t rows_bytes_min = 0;   // cold rows at hand: two groups of a token's
  int64_t read_pieces_max = 0;  // pieces of blocks that are read at a time
  int64_t read_bytes = 0;       // memory for these
  int64_t pass_bytes = 0;       // whole blocks until the store has them, and states
  int64_t bytes_per_block = 0;  // where a block's cold part lies, with its checks
};
ColdFootprint cold_footprint(const kv::CacheLayout& layout, const PassNeeds& needs);

// A RAM budget leaves a part to token ids, the store's index, lists, stacks and the program, so
// that a process of a large model's cache stays within it but for weights and the buffers of a
// pass: one in so many bytes, up to a bound. budget_for is the smallest one that leaves
// `cache_bytes` to the cache.
inline constexpr int64_t kProcessBytesMax = int64_t{32} << 20;
inline constexpr int64_t kProcessShare = 16;
int64_t cache_share_of(int64_t budget_bytes);
int64_t budget_for(int64_t cache_bytes);

// The smallest budget with which one sequence of that many tokens can be run.
int64_t ram_bytes_min(const kv::CacheLayout& layout, const PassNeeds& needs, int64_t token_count);

// Records on disk, headers and padding included.
int64_t stored_block_bytes(const kv::CacheLayout& layout);
int64_t stored_state_bytes(const kv::CacheLayout& layout);

}  // namespace kvasir::persist
