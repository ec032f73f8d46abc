#include "kv/index_scan.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::kv {
namespace {

constexpr int64_t kBlocksPerTask = 32;

const StreamLayout& stream_of(const Sequence& sequence, const IndexQuestion& question) {
  return sequence.layout().streams[static_cast<size_t>(question.stream)];
}

// Blocks with at least one of the rows that are asked for.
int64_t block_count(const Sequence& sequence, const IndexQuestion& question) {
  const int64_t per_block = stream_of(sequence, question).rows_per_block;
  KVASIR_DCHECK(per_block > 0 && question.row_count >= 0, "rows of a layer that has keys");
  return (question.row_count + per_block - 1) / per_block;
}

}  // namespace

int64_t scan_task_count(const Sequence& sequence, const IndexQuestion& question) {
  return (block_count(sequence, question) + kBlocksPerTask - 1) / kBlocksPerTask;
}

void run_scan_task(const kernels::KernelTable& table, const Sequence& sequence,
                   const IndexQuestion& question, int64_t task, float* scores) {
  const StreamLayout& keys = stream_of(sequence, question);
  const int64_t per_block = keys.rows_per_block;
  const int64_t block_total = block_count(sequence, question);
  const int64_t block_end = std::min(block_total, (task + 1) * kBlocksPerTask);
  for (int64_t block = task * kBlocksPerTask; block < block_end; ++block) {
    const int64_t first_row = block * per_block;
    // A block's keys lie far from those of the block before, where no prefetcher looks for them.
    // They are fetched while that one is scored, and before it their pages' addresses.
    const std::byte* keys_ahead =
        block + 1 < block_total ? sequence.block_rows(question.stream, block + 1) : nullptr;
    if (block + 2 < block_total) {
      const std::byte* later = sequence.block_rows(question.stream, block + 2);
      __builtin_prefetch(later);
      __builtin_prefetch(later + keys.bytes_per_block - 1);
    }
    table.index_score({.format = keys.format,
                       .head_count = question.head_count,
                       .query_count = question.query_count,
                       .query = question.query,
                       .head_weights = question.head_weights,
                       .keys = sequence.block_rows(question.stream, block),
                       .key_count = std::min(per_block, question.row_count - first_row),
                       .scores = scores + first_row,
                       .score_stride = question.score_stride,
                       .keys_ahead = keys_ahead});
  }
}

}  // namespace kvasir::kv
