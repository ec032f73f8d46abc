#include "model/deepseek_v4/workspace.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace kvasir::model {

Workspace::Workspace(const ModelConfig& config, const kv::CacheLayout& layout,
                     int64_t token_capacity, int thread_count) {
  const int64_t n = token_capacity;
  const int64_t h = config.stream_count;
  const auto allocate = [this]<class T>(AlignedBuffer<T>& buffer, int64_t count) {
    buffer = AlignedBuffer<T>(count);
    bytes += count * static_cast<int64_t>(sizeof(T));
    failed = failed || buffer.failed();
  };
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
  allocate(raw_rows, n * layout.row.bytes());
  allocate(values, n * 2 * std::max(config.head_dim, config.index_head_dim));
  allocate(gates, n * 2 * std::max(config.head_dim, config.index_head_dim));

  allocate(index_query, n * config.index_head_count * config.index_head_dim);
  allocate(index_head_weights, n * config.index_head_count);
  allocate(picked, n * config.index_top_k);
  allocate(picked_count, n);
  allocate(picked_rows, n * config.index_top_k);
  for (int worker = 0; worker < thread_count; ++worker) {
    allocate(encoded_query.emplace_back(),
             kernels::index_query_bytes(layout.key, config.index_head_count));
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

Status Workspace::reserve_length(const ModelConfig& config, int64_t length_max) {
  const int64_t csa_rows = length_max / kCsaRatio;
  const int64_t hca_rows = length_max / kHcaRatio;
  const int64_t visible_rows =
      config.window + std::max(std::min(csa_rows, config.index_top_k), hca_rows);
  const auto grow = []<class T>(std::vector<AlignedBuffer<T>>& buffers, int64_t size) {
    for (AlignedBuffer<T>& buffer : buffers) {
      if (buffer.size() >= size) continue;
      buffer = AlignedBuffer<T>(2 * size);
      if (buffer.failed()) {
        buffer = {};
        return false;
      }
    }
    return true;
  };
  if (grow(visible, visible_rows) && grow(scores, csa_rows)) return ok_status();
  return Error{.what = "not enough memory for a context of this length",
               .found = std::to_string(length_max) + " tokens"};
}

}  // namespace kvasir::model
