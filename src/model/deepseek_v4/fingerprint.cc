#include "model/deepseek_v4/fingerprint.h"

#include "base/check.h"
#include "checkpoint/tensor_digest.h"

namespace kvasir::model::deepseek_v4 {
namespace {

void add_rope(Sha256& hash, const ops::RopeSettings& rope) {
  hash.add_value(rope.theta).add_value(rope.has_yarn).add_value(rope.yarn.factor);
  hash.add_value(rope.yarn.beta_fast).add_value(rope.yarn.beta_slow);
  hash.add_value(rope.yarn.original_context);
}

// Adds all that the arithmetic depends on. The longest position and the ids that end a text are no
// part of it.
void add_config(Sha256& hash, const Config& c) {
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

}  // namespace

Digest256 fingerprint_of(const Config& config, const TensorDirectory& tensors) {
  KVASIR_CHECK(std::ssize(config.layers) == config.layer_count, "a whole config");
  Sha256 hash;
  hash.add_text("kvasir model 1");
  add_config(hash, config);
  add_tensors(hash, tensors);
  return hash.finish();
}

}  // namespace kvasir::model::deepseek_v4
