// These functions compute what a cache costs in RAM, where only its hot parts are there, and on
// disk. Residency keeps to the numbers, and the planner tells them beforehand. They allocate
// nothing, and any thread may call them.
//
// The HOT PART of a block is its first bytes, which every token reads. Its COLD rows are read only
// when a token picks them. Example: of a block of 1 MB with a hot part of 200 KB, RAM holds 200 KB
// and a handle; the other 800 KB are read from disk, page by page, when they are picked.
#pragma once

#include <cstdint>

#include "kv/layout.h"

namespace kvasir::persist {

// A state is kept at every multiple of so many tokens, so that a long prefill can be continued in
// its middle, and texts that begin alike share these states.
inline constexpr int64_t kStateIntervalTokens = 4096;

// PassNeeds say what a forward pass may ask for.
struct PassNeeds {
  int64_t tokens_max = 0;
  int64_t picked_rows_max = 0;  // cold rows that one token attends in a layer
};

// A ColdFootprint is the RAM of a cache whose cold rows lie in the store, beside the fixed and hot
// parts.
struct ColdFootprint {
  int64_t rows_bytes_min = 0;   // room for the cold rows that two tokens pick in a layer
  int64_t read_pieces_max = 0;  // pieces of blocks that are read at a time
  int64_t read_bytes = 0;       // memory for these pieces
  int64_t pass_bytes = 0;       // whole blocks until the store has them, and states
  int64_t bytes_per_block = 0;  // where a block's cold part lies, with its checks
};
ColdFootprint cold_footprint(const kv::CacheLayout& layout, const PassNeeds& needs);

// A RAM budget leaves a share to token ids, the store's index, lists, stacks and the program: a
// sixteenth, and at most 32 MiB. Weights and the buffers of a pass come on top of the budget.
// cache_share_of() returns the bytes that a budget leaves to the cache. budget_for() returns the
// smallest budget that leaves `cache_bytes` to it. Examples: 64 MiB leave 60 MiB to the cache; 1
// GiB leaves 992 MiB.
inline constexpr int64_t kProcessBytesMax = int64_t{32} << 20;
inline constexpr int64_t kProcessShare = 16;
int64_t cache_share_of(int64_t budget_bytes);
int64_t budget_for(int64_t cache_bytes);

// Returns the smallest budget, in bytes, with which one sequence of that many tokens can be run.
int64_t ram_bytes_min(const kv::CacheLayout& layout, const PassNeeds& needs, int64_t token_count);

// Both return the bytes of a record on disk, header and padding included.
int64_t stored_block_bytes(const kv::CacheLayout& layout);
int64_t stored_state_bytes(const kv::CacheLayout& layout);

}  // namespace kvasir::persist
