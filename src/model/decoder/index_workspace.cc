#include "model/decoder/index_workspace.h"

#include "kernels/kernels.h"

namespace kvasir::model::decoder {

IndexWorkspace::IndexWorkspace(const IndexerConfig& config, const kernels::RowFormat& key_format,
                               int64_t token_capacity, int thread_count)
    : head_count_(config.head_count), top_k_(config.top_k) {
  size_buffers(config, key_format, token_capacity, thread_count, take_buffers(taken));
}

int64_t IndexWorkspace::bytes_for(const IndexerConfig& config, const kernels::RowFormat& key_format,
                                  int64_t token_capacity, int thread_count) {
  int64_t bytes = 0;
  IndexWorkspace none;
  none.size_buffers(config, key_format, token_capacity, thread_count, count_buffers(bytes));
  return bytes;
}

// allocate(buffer, count) for each buffer.
template <class Allocate>
void IndexWorkspace::size_buffers(const IndexerConfig& config, const kernels::RowFormat& key_format,
                                  int64_t token_capacity, int thread_count,
                                  const Allocate& allocate) {
  if (config.top_k == 0) return;
  const int64_t n = token_capacity;
  allocate(query, n * config.head_count * config.head_dim);
  allocate(key, n * config.head_dim);
  allocate(head_weights, n * config.head_count);
  allocate(picked, n * config.top_k);
  allocate(picked_count, n);
  allocate(picked_places, n * config.top_k);
  for (int thread = 0; thread < thread_count; ++thread) {
    allocate(encoded_queries.emplace_back(),
             kernels::index_queries_at_once(config.head_count) *
                 kernels::index_query_bytes(key_format, config.head_count));
    allocate(row_lists.emplace_back(), config.top_k);
  }
  scores.resize(static_cast<size_t>(thread_count));
}

// grow(lists, count) for each list of the rows that a token sees.
template <class Grow>
bool IndexWorkspace::size_lists(int64_t head_count, int64_t length, const Grow& grow) {
  return grow(scores, kernels::index_queries_at_once(head_count) * length);
}

int64_t IndexWorkspace::length_bytes_max(const IndexerConfig& config, int64_t length,
                                         int thread_count) {
  if (config.top_k == 0) return 0;
  int64_t bytes = 0;
  IndexWorkspace none;
  none.scores.resize(static_cast<size_t>(thread_count));
  none.size_lists(config.head_count, length, count_lists(bytes));
  return bytes;
}

Status IndexWorkspace::reserve_length(int64_t length_max) {
  if (!size_lists(head_count_, length_max, grow_lists(taken)))
    return no_memory_for_length(length_max);
  return ok_status();
}

ops::Picks IndexWorkspace::picks(int64_t token_count) {
  return {.rows = ops::view_of(picked, token_count, top_k_),
          .counts = picked_count.data(),
          .places = ops::view_of(picked_places, token_count, top_k_)};
}

}  // namespace kvasir::model::decoder
