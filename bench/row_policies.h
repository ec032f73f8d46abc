// These functions count how often a picked row is still there from before, under several rules
// about what stays: that of the engine's own row cache, and others that it could have had.
#pragma once

#include <cstdint>
#include <vector>

namespace kvasir::bench {

// A RowTrace lists rows, numbered through all layers, in the order they are asked for.
struct RowTrace {
  std::vector<int32_t> rows;
  std::vector<int64_t> token_begins;  // [tokens] in `rows`; the next token's begin ends one
  int64_t row_count = 0;              // different rows there are
};

// PolicyHits are shares of the rows that tokens from measured_from on ask for: those that were
// there.
struct PolicyHits {
  double ours = 0;  // kv::RowCache
  double least_recent = 0;
  double least_used = 0;
  double best = 0;  // knowing what comes: no policy hits more
};

// Replays a trace on caches of about `capacity_rows`. kv::RowCache rounds that; the other policies
// get as many rows as it has.
// REQUIRES: at least twice the rows of a token.
PolicyHits replay(const RowTrace& trace, int64_t capacity_rows, int64_t measured_from);

}  // namespace kvasir::bench
