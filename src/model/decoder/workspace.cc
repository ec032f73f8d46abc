#include "model/decoder/workspace.h"

#include <algorithm>

#include "base/check.h"
#include "ops/attention_steps.h"

namespace kvasir::model::decoder {
namespace {

int64_t mlp_width_max(const Config& config) {
  int64_t width = config.experts.shared_width;
  for (const LayerConfig& layer : config.layers) {
    if (!layer.has_experts) width = std::max(width, layer.mlp_width);
  }
  return width;
}

bool has_windows(const Config& config) {
  return std::any_of(config.layers.begin(), config.layers.end(),
                     [](const LayerConfig& layer) { return layer.window_tokens > 0; });
}

}  // namespace

RowWidths row_widths(const Config& config) {
  if (!config.is_latent()) return {.key = config.head_dim, .value = config.value_dim};
  return {.key = config.latent.rank + config.latent.rope_dim, .value = config.latent.rank};
}

Workspace::Workspace(const Config& config, int64_t token_capacity) {
  KVASIR_CHECK(token_capacity > 0, "a pass has tokens");
  size_buffers(config, token_capacity, take_buffers(taken));
}

int64_t Workspace::bytes_for(const Config& config, int64_t token_capacity) {
  int64_t bytes = 0;
  Workspace none;
  none.size_buffers(config, token_capacity, count_buffers(bytes));
  return bytes;
}

// allocate(buffer, count) for each buffer.
template <class Allocate>
void Workspace::size_buffers(const Config& config, int64_t token_capacity,
                             const Allocate& allocate) {
  const int64_t n = token_capacity;
  const int64_t hidden = config.hidden_size;
  allocate(residual, n * hidden);
  allocate(input, n * hidden);
  allocate(attention_output, n * hidden);
  allocate(mlp_output, n * hidden);

  const RowWidths widths = row_widths(config);
  const int64_t key_width = config.kv_head_count * widths.key;
  const int64_t value_width = config.kv_head_count * widths.value;
  allocate(query, n * config.head_count * widths.key);
  allocate(key, n * key_width);
  allocate(attended, n * config.head_count * widths.value);
  if (config.is_latent()) {
    allocate(query_rank, n * config.latent.query_rank);
    allocate(head_query, n * config.head_count * config.head_dim);
    allocate(head_value, n * config.head_count * config.latent.value_dim);
  } else {
    allocate(value, n * value_width);
  }
  if (has_windows(config)) {
    constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));
    allocate(new_keys, n * key_width * kFloatBytes);
    allocate(new_values, n * value_width * kFloatBytes);
  }

  const int64_t width = mlp_width_max(config);
  if (config.is_gated) allocate(gate, n * width);
  allocate(up, n * width);
  const ExpertsConfig& experts = config.experts;
  if (experts.count == 0) return;
  const int64_t slots = n * experts.per_token;
  allocate(router, n * experts.count);
  allocate(expert_ids, slots);
  allocate(expert_weights, slots);
  allocate(grouped_slots, slots);
  allocate(slot_places, slots);
  allocate(expert_starts, experts.count + 1);
  allocate(expert_input, slots * hidden);
  allocate(expert_gate, slots * experts.width);
  allocate(expert_up, slots * experts.width);
  allocate(expert_output, slots * hidden);
  allocate(shared_weight, n);
}

}  // namespace kvasir::model::decoder
