#include "model/deepseek_v4/workspace.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/kernels.h"

namespace kvasir::model::deepseek_v4 {
namespace {

int64_t visible_rows_max(const Config& config, int64_t length) {
  return config.window +
         std::max(std::min(length / kCsaRatio, config.index_top_k), length / kHcaRatio);
}

int64_t queries_at_once(const Config& config) {
  return kernels::index_queries_at_once(config.index_head_count);
}

}  // namespace

Workspace::Workspace(const Config& config, const Geometry& geometry, int64_t token_capacity,
                     int thread_count) {
  KVASIR_CHECK(token_capacity > 0 && thread_count > 0, "a pass has tokens and threads");
  size_buffers(config, geometry, token_capacity, thread_count, take_buffers(taken));
}

int64_t Workspace::bytes_for(const Config& config, const Geometry& geometry, int64_t token_capacity,
                             int thread_count) {
  int64_t bytes = 0;
  Workspace none;
  none.size_buffers(config, geometry, token_capacity, thread_count, count_buffers(bytes));
  return bytes;
}

int64_t Workspace::length_bytes_max(const Config& config, int64_t length, int thread_count) {
  int64_t bytes = 0;
  Workspace none;
  none.scores.resize(static_cast<size_t>(thread_count));
  none.visible.resize(static_cast<size_t>(thread_count));
  none.size_lists(config, length, count_lists(bytes));
  return bytes;
}

// allocate(buffer, count) for each buffer.
template <class Allocate>
void Workspace::size_buffers(const Config& config, const Geometry& geometry, int64_t token_capacity,
                             int thread_count, const Allocate& allocate) {
  const int64_t n = token_capacity;
  const int64_t h = config.stream_count;
  allocate(streams, n * h * config.hidden_size);
  allocate(mix, n * (2 + h) * h);
  allocate(inverse_rms, n);
  allocate(pre, n * h);
  allocate(post, n * h);
  allocate(combine, n * h * h);
  allocate(input, n * config.hidden_size);
  allocate(output, n * config.hidden_size);

  allocate(query_rank, n * config.query_rank);
  allocate(query, n * config.head_count * config.head_dim);
  allocate(attended, n * config.head_count * config.head_dim);
  allocate(grouped, n * config.output_group_count * config.output_rank);
  allocate(row, n * config.head_dim);
  allocate(raw_rows, n * geometry.row.bytes());
  allocate(values, n * 2 * std::max(config.head_dim, config.index_head_dim));
  allocate(gates, n * 2 * std::max(config.head_dim, config.index_head_dim));

  allocate(index_query, n * config.index_head_count * config.index_head_dim);
  allocate(index_head_weights, n * config.index_head_count);
  allocate(picked, n * config.index_top_k);
  allocate(picked_count, n);
  allocate(picked_rows, n * config.index_top_k);
  for (int worker = 0; worker < thread_count; ++worker) {
    allocate(encoded_query.emplace_back(),
             queries_at_once(config) *
                 kernels::index_query_bytes(geometry.key, config.index_head_count));
  }
  scores.resize(static_cast<size_t>(thread_count));
  visible.resize(static_cast<size_t>(thread_count));

  const int64_t slots = n * config.experts_per_token;
  allocate(router, n * config.expert_count);
  allocate(expert_ids, slots);
  allocate(expert_scores, slots);
  allocate(grouped_slots, slots);
  allocate(slot_rows, slots);
  allocate(expert_starts, config.expert_count + 1);
  allocate(expert_input, slots * config.hidden_size);
  allocate(expert_gate, slots * config.expert_width);
  allocate(expert_up, slots * config.expert_width);
  allocate(expert_output, slots * config.hidden_size);
  allocate(shared_gate, n * config.shared_expert_count * config.expert_width);
  allocate(shared_up, n * config.shared_expert_count * config.expert_width);
}

// grow(lists, count) for each list of what a token sees.
template <class Grow>
bool Workspace::size_lists(const Config& config, int64_t length, const Grow& grow) {
  return grow(visible, visible_rows_max(config, length)) &&
         grow(scores, queries_at_once(config) * (length / kCsaRatio));
}

Status Workspace::reserve_length(const Config& config, int64_t length_max) {
  KVASIR_CHECK(length_max > 0, "a sequence with tokens");
  if (!size_lists(config, length_max, grow_lists(taken))) return no_memory_for_length(length_max);
  return ok_status();
}

}  // namespace kvasir::model::deepseek_v4
