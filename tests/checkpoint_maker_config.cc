#include "checkpoint_maker.h"

namespace kvasir::testing {
namespace {

bool is_runtime(NameForm form) { return form == NameForm::kRuntime || form == NameForm::kSaved; }

// What the official config and that of transformers spell alike.
Json::Object common_fields(const TinyModelSpec& spec) {
  Json::Object config{
      {"architectures", Json::Array{"DeepseekV4ForCausalLM"}},
      {"model_type", "deepseek_v4"},
      {"bos_token_id", 0},
      {"eos_token_id", 1},
      {"vocab_size", spec.vocab_size},
      {"hidden_size", spec.hidden_size},
      {"num_hidden_layers", static_cast<int64_t>(spec.compress_ratios.size())},
      {"num_attention_heads", spec.head_count},
      {"num_key_value_heads", 1},
      {"head_dim", spec.head_dim},
      {"q_lora_rank", spec.query_rank},
      {"o_groups", spec.output_group_count},
      {"o_lora_rank", spec.output_rank},
      {"sliding_window", spec.window},
      {"index_n_heads", spec.index_head_count},
      {"index_head_dim", spec.index_head_dim},
      {"index_topk", spec.index_top_k},
      {"n_routed_experts", spec.expert_count},
      {"n_shared_experts", spec.shared_expert_count},
      {"num_experts_per_tok", spec.experts_per_token},
      {"moe_intermediate_size", spec.expert_width},
      {"scoring_func", "sqrtsoftplus"},
      {"norm_topk_prob", true},
      {"routed_scaling_factor", 1.5},
      {"hc_mult", spec.stream_count},
      {"hc_sinkhorn_iters", spec.sinkhorn_iterations},
      {"hc_eps", 1e-6},
      {"rms_norm_eps", 1e-6},
      {"hidden_act", "silu"},
      {"tie_word_embeddings", spec.is_tied},
      {"max_position_embeddings", 1048576},
  };
  if (spec.swiglu_limit) config.emplace_back("swiglu_limit", *spec.swiglu_limit);
  return config;
}

Json::Object yarn_fields(const char* type_name) {
  return {{type_name, "yarn"},
          {"factor", 16},
          {"original_max_position_embeddings", 65536},
          {"beta_fast", 32},
          {"beta_slow", 1}};
}

void add_official_fields(const TinyModelSpec& spec, Json::Object& config) {
  Json::Array ratios(spec.compress_ratios.begin(), spec.compress_ratios.end());
  ratios.emplace_back(0);  // that of a draft layer
  config.emplace_back("compress_ratios", std::move(ratios));
  config.emplace_back("num_hash_layers", spec.hash_layer_count);
  config.emplace_back("qk_rope_head_dim", spec.rope_dim);
  config.emplace_back("topk_method", "noaux_tc");
  config.emplace_back("rope_theta", 10000.0);
  config.emplace_back("compress_rope_theta", 160000.0);
  config.emplace_back("rope_scaling", spec.has_yarn ? Json(yarn_fields("type")) : Json());
  config.emplace_back("torch_dtype", "bfloat16");
}

const char* layer_type(int64_t ratio) {
  if (ratio == 0) return "sliding_attention";
  return ratio == 4 ? "compressed_sparse_attention" : "heavily_compressed_attention";
}

void add_transformers_fields(const TinyModelSpec& spec, Json::Object& config) {
  Json::Array layer_types;
  Json::Array mlp_types;
  for (size_t layer = 0; layer < spec.compress_ratios.size(); ++layer) {
    layer_types.emplace_back(layer_type(spec.compress_ratios[layer]));
    mlp_types.emplace_back(static_cast<int64_t>(layer) < spec.hash_layer_count ? "hash_moe"
                                                                               : "moe");
  }
  const double part = static_cast<double>(spec.rope_dim) / static_cast<double>(spec.head_dim);
  Json::Object main{
      {"rope_type", "default"}, {"rope_theta", 10000.0}, {"partial_rotary_factor", part}};
  Json::Object compress{{"rope_type", "default"}};
  if (spec.has_yarn) compress = yarn_fields("rope_type");
  if (spec.has_yarn) compress.emplace_back("attention_factor", 1.0);
  compress.emplace_back("rope_theta", 160000.0);
  compress.emplace_back("partial_rotary_factor", part);
  config.emplace_back("layer_types", std::move(layer_types));
  config.emplace_back("mlp_layer_types", std::move(mlp_types));
  config.emplace_back("compress_rates", Json::Object{{"compressed_sparse_attention", 4},
                                                     {"heavily_compressed_attention", 128}});
  config.emplace_back("partial_rotary_factor", part);
  config.emplace_back("rope_parameters",
                      Json::Object{{"main", std::move(main)}, {"compress", std::move(compress)}});
  config.emplace_back("dtype", "bfloat16");
}

}  // namespace

Json::Object tiny_config(const TinyModelSpec& spec) {
  Json::Object config = common_fields(spec);
  if (is_runtime(spec.names)) {
    add_transformers_fields(spec, config);
  } else {
    add_official_fields(spec, config);
  }
  return config;
}

}  // namespace kvasir::testing
