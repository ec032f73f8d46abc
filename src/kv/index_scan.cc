#include "kv/index_scan.h"

#include <algorithm>

namespace kvasir::kv {
namespace {

constexpr int64_t kCacheLineBytes = 64;

int64_t rows_per_block(const Sequence& sequence, int64_t layer) {
  return sequence.layout().layers[static_cast<size_t>(layer)].rows_per_block;
}

// A block's keys lie far from those of the block before, where no prefetcher looks for them.
void prefetch(const std::byte* data, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kCacheLineBytes) __builtin_prefetch(data + at);
}

}  // namespace

int64_t block_count(const Sequence& sequence, const IndexQuestion& question) {
  const int64_t per_block = rows_per_block(sequence, question.layer);
  return (question.row_count + per_block - 1) / per_block;
}

void score_blocks(const kernels::KernelTable& table, const Sequence& sequence,
                  const IndexQuestion& question, int64_t block_begin, int64_t block_end,
                  float* scores) {
  const int64_t per_block = rows_per_block(sequence, question.layer);
  const kernels::KeyFormat& format = sequence.layout().key;
  for (int64_t block = block_begin; block < block_end; ++block) {
    if (block + 1 < block_end) {
      prefetch(sequence.block_keys(question.layer, block + 1), per_block * format.bytes());
    }
    const int64_t first_row = block * per_block;
    table.index_score({.format = format,
                       .head_count = question.head_count,
                       .query = question.query,
                       .head_weights = question.head_weights,
                       .keys = sequence.block_keys(question.layer, block),
                       .key_count = std::min(per_block, question.row_count - first_row),
                       .scores = scores + first_row});
  }
}

}  // namespace kvasir::kv
