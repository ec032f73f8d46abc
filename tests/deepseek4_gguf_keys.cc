#include <string>
#include <utility>

#include "base/check.h"
#include "deepseek4_gguf.h"

namespace kvasir::testing {
namespace {

struct Key {
  const char* field;
  const char* key;
};

constexpr Key kKeys[] = {
    {"vocab_size", "vocab_size"},
    {"max_position_embeddings", "context_length"},
    {"hidden_size", "embedding_length"},
    {"num_attention_heads", "attention.head_count"},
    {"num_key_value_heads", "attention.head_count_kv"},
    {"head_dim", "attention.key_length"},
    {"head_dim", "attention.value_length"},
    {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
    {"q_lora_rank", "attention.q_lora_rank"},
    {"o_lora_rank", "attention.output_lora_rank"},
    {"o_groups", "attention.output_group_count"},
    {"sliding_window", "attention.sliding_window"},
    {"compress_rope_theta", "attention.compress_rope_freq_base"},
    {"index_n_heads", "attention.indexer.head_count"},
    {"index_head_dim", "attention.indexer.key_length"},
    {"index_topk", "attention.indexer.top_k"},
    {"qk_rope_head_dim", "rope.dimension_count"},
    {"rope_theta", "rope.freq_base"},
    {"n_routed_experts", "expert_count"},
    {"num_experts_per_tok", "expert_used_count"},
    {"n_shared_experts", "expert_shared_count"},
    {"moe_intermediate_size", "expert_feed_forward_length"},
    {"routed_scaling_factor", "expert_weights_scale"},
    {"norm_topk_prob", "expert_weights_norm"},
    {"num_hash_layers", "hash_layer_count"},
    {"hc_mult", "hyper_connection.count"},
    {"hc_sinkhorn_iters", "hyper_connection.sinkhorn_iterations"},
    {"hc_eps", "hyper_connection.epsilon"},
};

class KeyMaker {
 public:
  explicit KeyMaker(const Json::Object& config) : config_(config) {
    keys_.emplace_back("general.architecture", "deepseek4");
  }

  void set(const std::string& name, Json value) {
    keys_.emplace_back("deepseek4." + name, std::move(value));
  }
  const Json& field(std::string_view name) const {
    const Json* value = config_.find(name);
    KVASIR_CHECK(value != nullptr, "a field of the config");
    return *value;
  }
  int64_t integer(std::string_view name) const { return *field(name).as_integer(); }
  Json::Object take() { return std::move(keys_); }

  void set_layers(const GgufDialect& dialect) {
    const int64_t blocks = integer("num_hidden_layers") + (dialect.has_draft ? 1 : 0);
    set("block_count", blocks);
    set("attention.compress_ratios", field("compress_ratios"));
    const Json* limit = config_.find("swiglu_limit");
    const double number = limit == nullptr ? 0 : *limit->as_double();
    set("swiglu_clamp_exp", Json::Array(static_cast<size_t>(blocks), Json(number)));
    if (dialect.states_gating) {
      set("swiglu_clamp_shexp", Json::Array(static_cast<size_t>(blocks), Json(number)));
    }
    if (dialect.has_draft || dialect.announces_draft) set("nextn_predict_layers", 1);
  }

  void set_scaling() {
    set("expert_gating_func", 4);
    const Json& scaling = field("rope_scaling");
    if (scaling.is_null()) return;
    set("rope.scaling.type", "yarn");
    set("rope.scaling.factor", static_cast<double>(*scaling.find("factor")->as_integer()));
    set("rope.scaling.original_context_length", *scaling.find("original_max_position_embeddings"));
    set("rope.scaling.yarn_beta_fast", 32.0);
    set("rope.scaling.yarn_beta_slow", 1.0);
  }

 private:
  const Json config_;
  Json::Object keys_;
};

}  // namespace

Json::Object gguf_keys(const Json::Object& config, const GgufDialect& dialect) {
  KeyMaker keys(config);
  for (const Key& key : kKeys) keys.set(key.key, keys.field(key.field));
  keys.set_layers(dialect);
  if (dialect.states_gating) keys.set_scaling();
  Json::Object made = keys.take();
  for (const char* name : {"bos_token_id", "eos_token_id"}) {
    made.emplace_back(std::string("tokenizer.ggml.") + name, keys.field(name));
  }
  return made;
}

}  // namespace kvasir::testing
