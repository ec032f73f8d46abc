#include "checkpoint/fingerprint.h"

#include <algorithm>

namespace kvasir {
namespace {

constexpr size_t kSampleBytes = 4096;
constexpr size_t kSampleCountMax = 4096;

void add_rope(Sha256& hash, const RopeConfig& rope) {
  hash.add_value(rope.theta).add_value(rope.has_yarn).add_value(rope.yarn.factor);
  hash.add_value(rope.yarn.beta_fast).add_value(rope.yarn.beta_slow);
  hash.add_value(rope.yarn.original_context);
}

// All that the arithmetic depends on; not the longest position nor the ids that end a text.
void add_config(Sha256& hash, const ModelConfig& c) {
  for (const int64_t size : {c.vocab_size,
                             c.hidden_size,
                             c.layer_count,
                             c.hash_layer_count,
                             c.head_count,
                             c.head_dim,
                             c.rope_dim,
                             c.query_rank,
                             c.output_group_count,
                             c.output_rank,
                             c.window,
                             c.index_head_count,
                             c.index_head_dim,
                             c.index_top_k,
                             c.expert_count,
                             c.experts_per_token,
                             c.expert_width,
                             c.shared_expert_count,
                             c.stream_count,
                             c.sinkhorn_iterations}) {
    hash.add_value(size);
  }
  for (const float value : {c.hyper_eps, c.norm_eps, c.routed_scale, c.swiglu_limit}) {
    hash.add_value(value);
  }
  hash.add_value(c.norm_topk_prob).add_value(c.tie_word_embeddings);
  add_rope(hash, c.window_rope);
  add_rope(hash, c.compressed_rope);
  for (const LayerKind kind : c.layers) hash.add_value(kind);
}

// The page in the middle of a tensor: the first one may be padding of a vocabulary.
std::span<const std::byte> sample_of(std::span<const std::byte> bytes) {
  const size_t begin = bytes.size() / 2 / kSampleBytes * kSampleBytes;
  return bytes.subspan(begin, std::min(kSampleBytes, bytes.size() - begin));
}

}  // namespace

Digest256 fingerprint_of(const ModelConfig& config, const TensorDirectory& tensors) {
  Sha256 hash;
  hash.add_text("kvasir model 1");
  add_config(hash, config);
  const auto taken = tensors.taken_by_name();
  const bool is_small = tensors.taken_bytes() <= kWholeContentBytes;
  const size_t step = is_small ? 1 : (taken.size() + kSampleCountMax - 1) / kSampleCountMax;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto& [name, tensor] = taken[i];
    hash.add_text(name).add_text(tensor->info.dtype_name).add_value(tensor->info.size_bytes);
    for (const int64_t size : tensor->info.shape) hash.add_value(size);
    if (i % step != 0) continue;
    const std::span<const std::byte> bytes = tensor->bytes();
    hash.add(xxh3_128(is_small ? bytes : sample_of(bytes)));
  }
  return hash.finish();
}

}  // namespace kvasir
