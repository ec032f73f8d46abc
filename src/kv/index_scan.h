// Index scores over the keys that a sequence's blocks hold. Used by any number of threads at a
// time, each with blocks of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kv/sequence.h"

namespace kvasir::kv {

// One token's question to a layer's index keys.
struct IndexQuestion {
  int64_t layer = 0;
  int64_t head_count = 0;
  const std::byte* query = nullptr;     // what KernelTable::encode_index_query wrote
  const float* head_weights = nullptr;  // [head_count]
  int64_t row_count = 0;                // rows that the token sees
};

// Blocks with at least one of those rows.
int64_t block_count(const Sequence& sequence, const IndexQuestion& question);

// Scores of the rows in blocks [block_begin, block_end) -> scores [row_count], in place.
void score_blocks(const kernels::KernelTable& table, const Sequence& sequence,
                  const IndexQuestion& question, int64_t block_begin, int64_t block_end,
                  float* scores);

}  // namespace kvasir::kv
