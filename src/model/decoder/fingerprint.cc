#include "model/decoder/fingerprint.h"

#include "checkpoint/tensor_digest.h"

namespace kvasir::model::decoder {
namespace {

void add_experts(Sha256& hash, const ExpertsConfig& e) {
  for (const int64_t size : {e.count, e.per_token, e.width, e.shared_width, e.groups.group_count,
                             e.groups.groups_used}) {
    hash.add_value(size);
  }
  hash.add_value(e.score).add_value(e.groups.score).add_value(e.scale);
  for (const bool flag :
       {e.has_shared_gate, e.has_choice_bias, e.has_router_bias, e.has_biases, e.normalises}) {
    hash.add_value(flag);
  }
}

void add_layers(Sha256& hash, const Config& c) {
  for (const Rope& rope : c.ropes) {
    hash.add_value(rope.frequencies.size());
    for (const double frequency : rope.frequencies) hash.add_value(frequency);
    hash.add_value(rope.magnitude);
  }
  for (const LayerConfig& layer : c.layers) {
    hash.add_value(layer.window_tokens).add_value(layer.rope);
    hash.add_value(layer.has_experts).add_value(layer.mlp_width);
  }
}

// Tensors of the same shapes may have tiles of other sizes.
void add_forms(Sha256& hash, const CodeForms& forms) {
  for (const ScaleTile& tile : forms.tiles) hash.add_value(tile.rows).add_value(tile.cols);
  hash.add_value(forms.has_int8);
}

// Nothing where there is no indexer, as when none was known.
void add_indexer(Sha256& hash, const Config& c) {
  if (!c.has_indexer()) return;
  hash.add_value(c.indexer.top_k).add_value(c.indexer.head_count).add_value(c.indexer.head_dim);
  hash.add_value(c.indexer.rope_pairs);
  for (const LayerConfig& layer : c.layers) hash.add_value(layer.has_indexer);
}

// Adds all that the arithmetic depends on. The longest position and the ids that end a text are no
// part of it.
void add_config(Sha256& hash, const Config& c) {
  const LatentConfig& l = c.latent;
  for (const int64_t size : {c.vocab_size, c.hidden_size, c.layer_count, c.head_count,
                             c.kv_head_count, c.head_dim, c.value_dim, c.position_count,
                             l.query_rank, l.rank, l.plain_dim, l.rope_dim, l.value_dim}) {
    hash.add_value(size);
  }
  for (const double value : {c.norm_eps, c.score_scale, c.score_cap, c.activation_limit,
                             c.embedding_scale, c.residual_scale, c.logit_divisor, c.logit_cap}) {
    hash.add_value(value);
  }
  hash.add_value(c.norm).add_value(c.branches).add_value(c.head_norm);
  hash.add_value(c.rope_pairs).add_value(c.activation);
  for (const bool flag :
       {c.norm_adds_one, c.has_input_norms, c.has_output_norms, c.turns_first, c.has_sinks,
        c.has_query_bias, c.has_output_bias, c.has_mlp_bias, c.is_gated, c.ties_output}) {
    hash.add_value(flag);
  }
  add_experts(hash, c.experts);
  add_layers(hash, c);
  if (c.codes.tiles != CodeForms().tiles || c.codes.has_int8) add_forms(hash, c.codes);
  add_indexer(hash, c);
}

}  // namespace

Digest256 fingerprint_of(const Config& config, const TensorDirectory& tensors) {
  Sha256 hash;
  hash.add_text("kvasir decoder 2");
  add_config(hash, config);
  add_tensors(hash, tensors);
  return hash.finish();
}

}  // namespace kvasir::model::decoder
