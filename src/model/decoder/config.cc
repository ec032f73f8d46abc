#include "model/decoder/config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "checkpoint/config_fields.h"
#include "model/decoder/config_reading.h"
#include "model/decoder/gguf_config.h"

// The architectures of this family, by the model_type of their configs. Where a config leaves a
// field out, the reference's config class says what it means.
namespace kvasir::model::decoder {
namespace {

bool always(int64_t) { return true; }
bool never(int64_t) { return false; }
bool on_even(int64_t layer) { return layer % 2 == 0; }

void read_bias(Reading& reading, std::string_view name, bool absent, bool has_output) {
  const bool has_bias = reading.fields.boolean_or({name}, absent);
  reading.config.has_query_bias = has_bias;
  reading.config.has_output_bias = has_bias && has_output;
}

// What Llama and all its kin have in common.
void read_llama_like(Reading& reading, double eps, int64_t head_dim = 0) {
  read_sizes(reading);
  read_head_dim(reading, head_dim);
  read_norm_eps(reading, {"rms_norm_eps"}, eps);
  read_activation(reading, {"hidden_act"}, "silu");
  read_plain_layers(reading);
  read_token_ids(reading);
}

void read_llama(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_bias(reading, "attention_bias", false, true);
  reading.config.has_mlp_bias = reading.fields.boolean_or({"mlp_bias"}, false);
  read_tied_output(reading, false);
  read_rope(reading);
}

void read_mistral(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_tied_output(reading, false);
  read_windows(reading, always);
  read_rope(reading);
}

void read_expert_counts(Reading& reading, ConfigFields::Names count, ConfigFields::Names width) {
  ExpertsConfig& experts = reading.config.experts;
  experts.count = reading.fields.integer(count, 1, kExpertsMax);
  experts.per_token = reading.fields.integer({"num_experts_per_tok"}, 1, experts.count);
  experts.width = reading.fields.integer(width, 1, kWidthMax);
}

// Every layer from `first` on, each `step`-th of them, but those of mlp_only_layers.
void mark_expert_layers(Reading& reading, int64_t first, int64_t step) {
  std::vector<LayerConfig>& layers = reading.config.layers;
  for (int64_t layer = first; layer < std::ssize(layers); ++layer) {
    layers[static_cast<size_t>(layer)].has_experts = (layer + 1) % step == 0;
  }
  const Json* plain = reading.fields.find({"mlp_only_layers"});
  if (plain == nullptr || plain->as_array() == nullptr) return;
  for (const Json& layer : *plain->as_array()) {
    const int64_t* index = layer.as_integer();
    if (index != nullptr && *index >= 0 && *index < std::ssize(layers)) {
      layers[static_cast<size_t>(*index)].has_experts = false;
    }
  }
}

void read_mixtral(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_tied_output(reading, false);
  read_windows(reading, always);
  read_rope(reading);
  read_expert_counts(reading, {"num_local_experts", "num_experts"}, {"intermediate_size"});
  reading.config.experts.normalises = true;
  mark_expert_layers(reading, 0, 1);
}

// The first max_window_layers see everything; layer_types say it in newer configs.
void read_qwen_windows(Reading& reading) {
  if (!reading.fields.boolean_or({"use_sliding_window"}, false)) {
    return read_windows(reading, never);
  }
  read_windows(reading, always);
  if (reading.fields.has({"layer_types"})) return;
  const int64_t full = reading.fields.integer_or({"max_window_layers"}, 0, kLayersMax, 28);
  for (int64_t layer = 0; layer < std::min(full, reading.config.layer_count); ++layer) {
    reading.config.layers[static_cast<size_t>(layer)].window_tokens = 0;
  }
}

void read_qwen2(Reading& reading) {
  read_llama_like(reading, 1e-6);
  reading.config.has_query_bias = true;
  read_tied_output(reading, false);
  read_qwen_windows(reading);
  read_rope(reading);
}

void read_qwen_experts(Reading& reading) {
  read_expert_counts(reading, {"num_experts", "num_local_experts"}, {"moe_intermediate_size"});
  reading.config.experts.normalises = reading.fields.boolean_or({"norm_topk_prob"}, false);
  mark_expert_layers(reading, 0,
                     reading.fields.integer_or({"decoder_sparse_step"}, 1, kLayersMax, 1));
}

void read_qwen2_moe(Reading& reading) {
  read_qwen2(reading);
  reading.config.has_query_bias = reading.fields.boolean_or({"qkv_bias"}, true);
  read_qwen_experts(reading);
  reading.config.experts.shared_width =
      reading.fields.integer({"shared_expert_intermediate_size"}, 1, kWidthMax);
  reading.config.experts.has_shared_gate = true;
}

void read_qwen3(Reading& reading) {
  read_llama_like(reading, 1e-6, 128);
  read_bias(reading, "attention_bias", false, true);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_tied_output(reading, false);
  read_qwen_windows(reading);
  read_rope(reading);
}

void read_qwen3_moe(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_bias(reading, "attention_bias", false, true);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_tied_output(reading, false);
  // All layers have the window, where one is used.
  const bool has_window = reading.fields.boolean_or({"use_sliding_window"}, false);
  read_windows(reading, has_window ? always : never);
  read_rope(reading);
  read_qwen_experts(reading);
}

// no_rope_layers: 1 for a layer that turns its heads. Without it each `interval`-th does not.
void read_unturned_layers(Reading& reading) {
  std::vector<LayerConfig>& layers = reading.config.layers;
  const Json* list = reading.fields.find({"no_rope_layers"});
  const int64_t interval = reading.fields.integer_or({"no_rope_layer_interval"}, 1, kLayersMax, 4);
  const bool is_list = list != nullptr && list->as_array() != nullptr;
  if (list != nullptr && (!is_list || list->as_array()->size() < layers.size())) {
    return reading.fields.fail("no_rope_layers", "config field is unusable",
                               "a 0 or 1 for each layer", list);
  }
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    bool is_turned = (static_cast<int64_t>(layer) + 1) % interval != 0;
    if (is_list) {
      const int64_t* number = (*list->as_array())[layer].as_integer();
      is_turned = number == nullptr || *number != 0;
    }
    if (!is_turned) layers[layer].rope = -1;
  }
}

void read_smollm3(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_bias(reading, "attention_bias", false, true);
  reading.config.has_mlp_bias = reading.fields.boolean_or({"mlp_bias"}, false);
  read_tied_output(reading, true);
  const bool has_window = reading.fields.boolean_or({"use_sliding_window"}, false);
  read_windows(reading, has_window ? [](int64_t) { return true; } : never);
  read_rope(reading);
  read_unturned_layers(reading);
}

void read_gemma_like(Reading& reading, int64_t head_dim, int64_t score_dim) {
  read_sizes(reading);
  read_head_dim(reading, head_dim);
  read_norm_eps(reading, {"rms_norm_eps"}, 1e-6);
  read_activation(reading, {"hidden_activation", "hidden_act"}, "gelu_pytorch_tanh");
  read_bias(reading, "attention_bias", false, true);
  read_plain_layers(reading);
  read_token_ids(reading);
  read_tied_output(reading, true);
  Config& config = reading.config;
  config.norm_adds_one = true;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  if (score_dim == 0) return;
  config.has_output_norms = true;
  config.score_scale = 1 / std::sqrt(reading.fields.real_or({"query_pre_attn_scalar"}, 1e-6, 1e9,
                                                            static_cast<double>(score_dim)));
  reading.fields.expect_false({"use_bidirectional_attention"});
}

void read_caps(Reading& reading, double score_cap, double logit_cap) {
  reading.config.score_cap = reading.fields.mentions("attn_logit_softcapping")
                                 ? reading.fields.real_or({"attn_logit_softcapping"}, 0, 1e9, 0)
                                 : score_cap;
  reading.config.logit_cap = reading.fields.mentions("final_logit_softcapping")
                                 ? reading.fields.real_or({"final_logit_softcapping"}, 0, 1e9, 0)
                                 : logit_cap;
}

void read_gemma(Reading& reading) {
  read_gemma_like(reading, 256, 0);
  read_rope(reading);
}

void read_gemma2(Reading& reading) {
  read_gemma_like(reading, 256, 256);
  read_caps(reading, 50, 30);
  read_windows(reading, on_even);
  read_rope(reading);
}

void read_gemma3(Reading& reading) {
  read_gemma_like(reading, 256, 256);
  read_caps(reading, 0, 0);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_windows(reading, always);
  if (!reading.fields.has({"layer_types"})) {
    const int64_t pattern = reading.fields.integer_or(
        {"sliding_window_pattern", "_sliding_window_pattern"}, 1, kLayersMax, 6);
    for (int64_t layer = pattern - 1; layer < reading.config.layer_count; layer += pattern) {
      reading.config.layers[static_cast<size_t>(layer)].window_tokens = 0;
    }
  }
  read_rope_by_layer_type(reading);
}

void read_phi3(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_tied_output(reading, false);
  read_windows(reading, always);
  read_rope(reading);
}

void read_granite(Reading& reading) {
  read_llama(reading);
  Config& config = reading.config;
  ConfigFields& fields = reading.fields;
  config.embedding_scale = fields.real_or({"embedding_multiplier"}, 1e-9, 1e9, 1);
  config.residual_scale = fields.real_or({"residual_multiplier"}, 1e-9, 1e9, 1);
  config.score_scale = fields.real_or({"attention_multiplier"}, 1e-9, 1e9, 1);
  config.logit_divisor = fields.real_or({"logits_scaling"}, 1e-9, 1e9, 1);
}

void read_starcoder2(Reading& reading) {
  read_sizes(reading);
  read_head_dim(reading);
  reading.config.norm = ops::NormKind::kLayer;
  read_norm_eps(reading, {"norm_epsilon"}, 1e-5);
  read_activation(reading, {"hidden_act"}, "gelu_pytorch_tanh");
  read_bias(reading, "use_bias", true, true);
  reading.config.has_mlp_bias = reading.config.has_query_bias;
  reading.config.is_gated = false;
  read_plain_layers(reading);
  read_token_ids(reading);
  read_tied_output(reading, true);
  read_windows(reading, always);
  read_rope(reading);
}

void read_gpt2_like(Reading& reading, std::string_view activation) {
  read_sizes_of_gpt2(reading);
  read_head_dim(reading);
  Config& config = reading.config;
  config.norm = ops::NormKind::kLayer;
  read_norm_eps(reading, {"layer_norm_epsilon"}, 1e-5);
  read_activation(reading, {"activation_function"}, activation);
  config.has_query_bias = config.has_output_bias = config.has_mlp_bias = true;
  config.is_gated = false;
  const int64_t width =
      reading.fields.integer_or({"n_inner"}, 1, kWidthMax, 4 * config.hidden_size);
  config.layers.assign(static_cast<size_t>(config.layer_count), {.rope = -1, .mlp_width = width});
  read_token_ids(reading);
  read_tied_output(reading, true);
  reading.fields.expect_false({"scale_attn_by_inverse_layer_idx"});
  reading.fields.expect_false({"add_cross_attention"});
  if (!reading.fields.boolean_or({"scale_attn_weights"}, true)) config.score_scale = 1;
}

void read_gpt2(Reading& reading) { read_gpt2_like(reading, "gelu_new"); }

void read_gpt_bigcode(Reading& reading) {
  read_gpt2_like(reading, "gelu_pytorch_tanh");
  if (reading.fields.boolean_or({"multi_query"}, true)) reading.config.kv_head_count = 1;
}

void read_falcon(Reading& reading) {
  read_sizes(reading);
  Config& config = reading.config;
  ConfigFields& fields = reading.fields;
  const bool is_new = fields.boolean_or({"new_decoder_architecture"}, false);
  const bool is_multi_query = fields.boolean_or({"multi_query"}, true);
  config.kv_head_count = is_new
                             ? fields.integer_or({"num_kv_heads"}, 1, kHeadsMax, config.head_count)
                             : (is_multi_query ? 1 : config.head_count);
  if (config.head_count % config.kv_head_count != 0) {
    fields.fail("num_kv_heads", "config field is unusable", "a divisor of the heads",
                fields.find({"num_kv_heads"}));
    config.kv_head_count = 1;
  }
  read_head_dim(reading);
  config.norm = ops::NormKind::kLayer;
  read_norm_eps(reading, {"layer_norm_epsilon"}, 1e-5);
  read_activation(reading, {"activation"}, "gelu");
  read_bias(reading, "bias", false, true);
  config.has_mlp_bias = config.has_query_bias;
  config.is_gated = false;
  fields.expect_false({"alibi"});
  const int64_t own = fields.integer_or({"num_ln_in_parallel_attn"}, 1, 2, is_new ? 2 : 1);
  const bool is_parallel = is_new || fields.boolean_or({"parallel_attn"}, true);
  config.branches = !is_parallel         ? Branches::kInTurn
                    : is_new && own == 2 ? Branches::kParallelOwn
                                         : Branches::kParallel;
  const int64_t width =
      fields.integer_or({"ffn_hidden_size"}, 1, kWidthMax, 4 * config.hidden_size);
  config.layers.assign(static_cast<size_t>(config.layer_count), {.mlp_width = width});
  read_token_ids(reading);
  read_tied_output(reading, true);
  read_rope(reading);
}

void read_gpt_oss(Reading& reading) {
  read_llama_like(reading, 1e-5, 64);
  Config& config = reading.config;
  ConfigFields& fields = reading.fields;
  read_bias(reading, "attention_bias", true, true);
  read_tied_output(reading, false);
  config.has_sinks = true;
  read_windows(reading, on_even);
  read_rope(reading);
  read_expert_counts(reading, {"num_local_experts", "num_experts"}, {"intermediate_size"});
  config.experts.score = RouterScore::kSoftmaxOfChosen;
  config.experts.has_router_bias = config.experts.has_biases = true;
  mark_expert_layers(reading, 0, 1);
  config.activation = kernels::Activation::kClampedSwish;
  config.activation_limit = fields.real_or({"swiglu_limit"}, 1e-6, 1e9, 7);
  fields.real_or({"swiglu_alpha"}, 1.702, 1.702, 1.702);
}

void read_olmo2(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_bias(reading, "attention_bias", false, true);
  Config& config = reading.config;
  config.has_input_norms = false;
  config.has_output_norms = true;
  config.head_norm = HeadNorm::kAllHeads;
  read_tied_output(reading, false);
  read_rope(reading);
}

// DeepSeek's routing: sigmoid scores, groups, a bias for the choice, an expert that all tokens
// take.
void read_scored_experts(Reading& reading) {
  ConfigFields& fields = reading.fields;
  ExpertsConfig& experts = reading.config.experts;
  read_expert_counts(reading, {"n_routed_experts", "num_experts"}, {"moe_intermediate_size"});
  experts.shared_width = experts.width * fields.integer_or({"n_shared_experts"}, 0, kExpertsMax, 1);
  experts.scale = fields.real_or({"routed_scaling_factor"}, 1e-9, 1e9, 1);
  experts.groups.group_count =
      fields.integer_or({"n_group"}, 1, std::min(experts.count, ops::kGroupsMax), 1);
  experts.groups.groups_used = fields.integer_or({"topk_group"}, 1, experts.groups.group_count, 1);
  if (experts.count % experts.groups.group_count != 0) {
    fields.fail("n_group", "config field is unusable", "a divisor of the experts",
                fields.find({"n_group"}));
  }
}

void read_sigmoid_experts(Reading& reading, int64_t dense_layers) {
  read_scored_experts(reading);
  ExpertsConfig& experts = reading.config.experts;
  experts.score = RouterScore::kSigmoid;
  experts.has_choice_bias = true;
  experts.normalises = reading.fields.boolean_or({"norm_topk_prob"}, true);
  if (experts.groups.group_count > 1) experts.groups.score = ops::GroupScore::kBestTwoSum;
  mark_expert_layers(
      reading, reading.fields.integer_or({"first_k_dense_replace"}, 0, kLayersMax, dense_layers),
      1);
}

void read_glm4_moe(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_bias(reading, "attention_bias", false, false);
  if (reading.fields.boolean_or({"use_qk_norm"}, false)) {
    reading.config.head_norm = HeadNorm::kEachHead;
  }
  read_tied_output(reading, false);
  read_rope(reading, 0.5);
  read_sigmoid_experts(reading, 1);
}

void read_latent_heads(Reading& reading, int64_t query_rank) {
  ConfigFields& fields = reading.fields;
  Config& config = reading.config;
  LatentConfig& latent = config.latent;
  latent.query_rank = fields.mentions("q_lora_rank")
                          ? fields.integer_or({"q_lora_rank"}, 1, kWidthMax, 0)
                          : query_rank;
  latent.rank = fields.integer({"kv_lora_rank"}, 1, kWidthMax);
  latent.plain_dim = fields.integer({"qk_nope_head_dim"}, 1, kWidthMax);
  latent.rope_dim = fields.integer({"qk_rope_head_dim"}, 2, kWidthMax);
  latent.value_dim = fields.integer({"v_head_dim"}, 1, kWidthMax);
  config.head_dim = latent.plain_dim + latent.rope_dim;
  config.value_dim = latent.value_dim;
  config.kv_head_count = 1;
  config.rope_pairs = ops::RopePairs::kAdjacent;
  config.turns_first = false;
  config.score_scale =
      read_latent_rope(reading, latent.rope_dim) / std::sqrt(static_cast<double>(config.head_dim));
  fields.expect_false({"attention_bias"});
}

void read_deepseek(Reading& reading) {
  read_sizes(reading);
  read_norm_eps(reading, {"rms_norm_eps"}, 1e-6);
  read_activation(reading, {"hidden_act"}, "silu");
  read_plain_layers(reading);
  read_token_ids(reading);
  read_tied_output(reading, false);
  read_latent_heads(reading, 1536);
}

void read_deepseek_v2(Reading& reading) {
  read_deepseek(reading);
  ConfigFields& fields = reading.fields;
  read_scored_experts(reading);
  ExpertsConfig& experts = reading.config.experts;
  // The reference never divides by the sum, whatever norm_topk_prob says.
  const std::string method = fields.text_or({"topk_method"}, "greedy");
  if (method == "group_limited_greedy" && experts.groups.group_count > 1) {
    experts.groups.score = ops::GroupScore::kLargest;
  } else if (method != "greedy" && method != "group_limited_greedy") {
    fields.fail("topk_method", "config asks for what is not supported",
                "greedy or group_limited_greedy", fields.find({"topk_method"}));
  }
  mark_expert_layers(reading, fields.integer_or({"first_k_dense_replace"}, 0, kLayersMax, 0), 1);
}

void read_deepseek_v3(Reading& reading) {
  read_deepseek(reading);
  read_sigmoid_experts(reading, 3);
}

struct Architecture {
  std::string_view model_type;
  void (*read)(Reading& reading);
};

constexpr Architecture kArchitectures[] = {
    {"llama", read_llama},
    {"mistral", read_mistral},
    {"mixtral", read_mixtral},
    {"qwen2", read_qwen2},
    {"qwen2_moe", read_qwen2_moe},
    {"qwen3", read_qwen3},
    {"qwen3_moe", read_qwen3_moe},
    {"smollm3", read_smollm3},
    {"gemma", read_gemma},
    {"gemma2", read_gemma2},
    {"gemma3_text", read_gemma3},
    {"phi3", read_phi3},
    {"granite", read_granite},
    {"starcoder2", read_starcoder2},
    {"gpt2", read_gpt2},
    {"gpt_bigcode", read_gpt_bigcode},
    {"falcon", read_falcon},
    {"gpt_oss", read_gpt_oss},
    {"olmo2", read_olmo2},
    {"glm4_moe", read_glm4_moe},
    {"deepseek_v2", read_deepseek_v2},
    {"deepseek_v3", read_deepseek_v3},
};

// The config of the text model, which multimodal checkpoints nest.
const Json& text_config(const Json& root) {
  const Json* nested = root.find("text_config");
  const bool has_type =
      nested != nullptr && nested->as_object() != nullptr && nested->find("model_type") != nullptr;
  return has_type ? *nested : root;
}

const Architecture* find_architecture(const Json& config) {
  const Json* type = config.find("model_type");
  if (type == nullptr || type->as_string() == nullptr) return nullptr;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type == *type->as_string()) return &architecture;
  }
  return nullptr;
}

}  // namespace

bool runs(const Json& root) {
  return find_architecture(text_config(root)) != nullptr || runs_gguf(root);
}

Result<Config> read_config(const Json& root, std::string_view where) {
  const Json& text = text_config(root);
  const Architecture* architecture = find_architecture(text);
  KVASIR_CHECK(architecture != nullptr, "a config of this family");
  Reading reading{.root = text, .fields = ConfigFields(text, where), .config = {}};
  reading.config.architecture = architecture->model_type;
  architecture->read(reading);
  if (reading.fields.error()) return *reading.fields.error();
  return std::move(reading.config);
}

}  // namespace kvasir::model::decoder
