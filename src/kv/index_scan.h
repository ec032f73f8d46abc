// Index scores over the keys that a sequence's blocks hold. Used by any number of threads at a
// time, each with blocks of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kv/sequence.h"

namespace kvasir::kv {

// One token's question to a stream of index keys.
struct IndexQuestion {
  int64_t stream = 0;  // index keys, in the layout
  int64_t head_count = 0;
  const std::byte* query = nullptr;     // what KernelTable::encode_index_query wrote
  const float* head_weights = nullptr;  // [head_count]
  int64_t row_count = 0;                // rows that the token sees
};

// A scan falls into tasks of some blocks each, which may run in any order and at once.
int64_t scan_task_count(const Sequence& sequence, const IndexQuestion& question);

// Scores of the rows in a task's blocks -> scores [row_count], in place.
void run_scan_task(const kernels::KernelTable& table, const Sequence& sequence,
                   const IndexQuestion& question, int64_t task, float* scores);

}  // namespace kvasir::kv
