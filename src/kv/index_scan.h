// run_scan_task scores the index keys in a sequence's blocks for queries of tokens. Any number of
// threads may score at a time, each a task of its own. Nothing is owned or allocated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kv/sequence.h"

namespace kvasir::kv {

// An IndexQuestion is what one token, or a few tokens of a sequence together, ask a stream of index
// keys.
struct IndexQuestion {
  int64_t stream = 0;  // index keys, in the layout
  int64_t head_count = 0;
  int64_t query_count = 1;           // tokens
  const std::byte* query = nullptr;  // what KernelTable::encode_index_query wrote, token by token
  const float* head_weights = nullptr;  // [query_count, head_count]
  int64_t row_count = 0;                // rows that the last of them sees
  int64_t score_stride = 0;             // from a token's scores to the next one's
};

// Returns into how many tasks a scan falls. A task scores some blocks (32) and may run in any
// order, beside the others. For example 9,000 rows, 32 of them a block, lie in 282 blocks: 9 tasks.
int64_t scan_task_count(const Sequence& sequence, const IndexQuestion& question);

// Writes the scores of the rows in a task's blocks to their places in scores [query_count,
// row_count]. Scores of other rows stay. REQUIRES: task in [0, scan_task_count).
void run_scan_task(const kernels::KernelTable& table, const Sequence& sequence,
                   const IndexQuestion& question, int64_t task, float* scores);

}  // namespace kvasir::kv
