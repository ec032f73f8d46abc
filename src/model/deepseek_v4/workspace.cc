#include "model/deepseek_v4/workspace.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace kvasir::model {

Workspace::Workspace(const ModelConfig& config, const kv::CacheLayout& layout,
                     int64_t token_capacity, int thread_count) {
  const int64_t n = token_capacity;
  const int64_t h = config.stream_count;
  const auto floats = [](int64_t count) { return AlignedBuffer<float>(count); };
  streams = floats(n * h * config.hidden_size);
  mix = floats(n * (2 + h) * h);
  inverse_rms = floats(n);
  pre = floats(n * h);
  post = floats(n * h);
  combine = floats(n * h * h);
  input = floats(n * config.hidden_size);
  output = floats(n * config.hidden_size);

  query_rank = floats(n * config.query_rank);
  query = floats(n * config.head_count * config.head_dim);
  attended = floats(n * config.head_count * config.head_dim);
  grouped = floats(n * config.output_group_count * config.output_rank);
  row = floats(n * config.head_dim);
  raw_rows = AlignedBuffer<std::byte>(n * layout.row.bytes());
  values = floats(n * 2 * std::max(config.head_dim, config.index_head_dim));
  gates = floats(n * 2 * std::max(config.head_dim, config.index_head_dim));

  index_query = floats(n * config.index_head_count * config.index_head_dim);
  index_head_weights = floats(n * config.index_head_count);
  picked = AlignedBuffer<int32_t>(n * config.index_top_k);
  picked_count = AlignedBuffer<int32_t>(n);
  for (int worker = 0; worker < thread_count; ++worker) {
    encoded_query.emplace_back(kernels::index_query_bytes(layout.key, config.index_head_count));
  }
  scores.resize(static_cast<size_t>(thread_count));
  visible.resize(static_cast<size_t>(thread_count));

  const int64_t slots = n * config.experts_per_token;
  router = floats(n * config.expert_count);
  expert_ids = AlignedBuffer<int32_t>(slots);
  expert_scores = floats(slots);
  grouped_slots = AlignedBuffer<int32_t>(slots);
  slot_rows = AlignedBuffer<int32_t>(slots);
  expert_starts = AlignedBuffer<int64_t>(config.expert_count + 1);
  expert_input = floats(slots * config.hidden_size);
  expert_gate = floats(slots * config.expert_width);
  expert_up = floats(slots * config.expert_width);
  expert_output = floats(slots * config.hidden_size);
  shared_gate = floats(n * config.shared_expert_count * config.expert_width);
  shared_up = floats(n * config.shared_expert_count * config.expert_width);
}

void Workspace::reserve_length(const ModelConfig& config, int64_t length_max) {
  const int64_t csa_rows = length_max / kCsaRatio;
  const int64_t hca_rows = length_max / kHcaRatio;
  const auto visible_rows = static_cast<size_t>(
      config.window + std::max(std::min(csa_rows, config.index_top_k), hca_rows));
  if (visible[0].size() < visible_rows) {
    for (auto& pointers : visible) pointers.resize(2 * visible_rows);
  }
  if (scores[0].size() < csa_rows) {
    for (auto& buffer : scores) buffer = AlignedBuffer<float>(2 * csa_rows);
  }
}

}  // namespace kvasir::model
