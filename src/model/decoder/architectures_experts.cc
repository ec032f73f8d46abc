// Architectures with experts, and those with latent attention. Where a config leaves a field out,
// the reference's config class says what it means.
#include <algorithm>
#include <cmath>
#include <string>

#include "model/decoder/architectures.h"
#include "model/decoder/config_reading.h"

namespace kvasir::model::decoder {
namespace {

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

}  // namespace

void read_mixtral(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_tied_output(reading, false);
  read_windows(reading, on_all_layers);
  read_rope(reading);
  read_expert_counts(reading, {"num_local_experts", "num_experts"}, {"intermediate_size"});
  reading.config.experts.normalises = true;
  mark_expert_layers(reading, 0, 1);
}
namespace {

void read_qwen_experts(Reading& reading) {
  read_expert_counts(reading, {"num_experts", "num_local_experts"}, {"moe_intermediate_size"});
  reading.config.experts.normalises = reading.fields.boolean_or({"norm_topk_prob"}, false);
  mark_expert_layers(reading, 0,
                     reading.fields.integer_or({"decoder_sparse_step"}, 1, kLayersMax, 1));
}

}  // namespace

void read_qwen2_moe(Reading& reading) {
  read_qwen2(reading);
  reading.config.has_query_bias = reading.fields.boolean_or({"qkv_bias"}, true);
  read_qwen_experts(reading);
  reading.config.experts.shared_width =
      reading.fields.integer({"shared_expert_intermediate_size"}, 1, kWidthMax);
  reading.config.experts.has_shared_gate = true;
}

void read_qwen3_moe(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_bias(reading, "attention_bias", false, true);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_tied_output(reading, false);
  // All layers have the window, where one is used.
  const bool has_window = reading.fields.boolean_or({"use_sliding_window"}, false);
  read_windows(reading, has_window ? on_all_layers : on_no_layer);
  read_rope(reading);
  read_qwen_experts(reading);
}

void read_gpt_oss(Reading& reading) {
  read_llama_like(reading, 1e-5, 64);
  Config& config = reading.config;
  ConfigFields& fields = reading.fields;
  read_bias(reading, "attention_bias", true, true);
  read_tied_output(reading, false);
  config.has_sinks = true;
  read_windows(reading, on_even_layers);
  read_rope(reading);
  read_expert_counts(reading, {"num_local_experts", "num_experts"}, {"intermediate_size"});
  config.experts.score = RouterScore::kSoftmaxOfChosen;
  config.experts.has_router_bias = config.experts.has_biases = true;
  mark_expert_layers(reading, 0, 1);
  config.activation = kernels::Activation::kClampedSwish;
  config.activation_limit = fields.real_or({"swiglu_limit"}, 1e-6, 1e9, 7);
  fields.real_or({"swiglu_alpha"}, 1.702, 1.702, 1.702);
}
namespace {

// What a config class says of fields that a config leaves out.
struct AbsentRouting {
  double scale = 1;
  int64_t group_count = 1;
  int64_t groups_used = 1;
};
constexpr AbsentRouting kDeepSeekRouting{.scale = 2.5, .group_count = 8, .groups_used = 4};

// DeepSeek's routing: sigmoid scores, groups, a bias for the choice, an expert that all tokens
// take.
void read_scored_experts(Reading& reading, const AbsentRouting& absent) {
  ConfigFields& fields = reading.fields;
  ExpertsConfig& experts = reading.config.experts;
  read_expert_counts(reading, {"n_routed_experts", "num_experts"}, {"moe_intermediate_size"});
  experts.shared_width = experts.width * fields.integer_or({"n_shared_experts"}, 0, kExpertsMax, 1);
  experts.scale = fields.real_or({"routed_scaling_factor"}, 1e-9, 1e9, absent.scale);
  experts.groups.group_count = fields.integer_or(
      {"n_group"}, 1, std::min(experts.count, ops::kGroupsMax), absent.group_count);
  experts.groups.groups_used =
      fields.integer_or({"topk_group"}, 1, experts.groups.group_count,
                        std::min(absent.groups_used, experts.groups.group_count));
  if (experts.count % experts.groups.group_count != 0) {
    fields.fail("n_group", "config field is unusable", "a divisor of the experts",
                fields.find({"n_group"}));
  }
}

void read_sigmoid_experts(Reading& reading, int64_t dense_layers, const AbsentRouting& absent) {
  read_scored_experts(reading, absent);
  ExpertsConfig& experts = reading.config.experts;
  experts.score = RouterScore::kSigmoid;
  experts.has_choice_bias = true;
  experts.normalises = reading.fields.boolean_or({"norm_topk_prob"}, true);
  if (experts.groups.group_count > 1) experts.groups.score = ops::GroupScore::kBestTwoSum;
  mark_expert_layers(
      reading, reading.fields.integer_or({"first_k_dense_replace"}, 0, kLayersMax, dense_layers),
      1);
}

}  // namespace

void read_glm4_moe(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_bias(reading, "attention_bias", false, false);
  if (reading.fields.boolean_or({"use_qk_norm"}, false)) {
    reading.config.head_norm = HeadNorm::kEachHead;
  }
  read_tied_output(reading, false);
  read_rope(reading, 0.5);
  read_sigmoid_experts(reading, 1, {});
}
namespace {

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

void read_deepseek(Reading& reading, int64_t query_rank) {
  read_sizes(reading);
  read_norm_eps(reading, {"rms_norm_eps"}, 1e-6);
  read_activation(reading, {"hidden_act"}, "silu");
  read_plain_layers(reading);
  read_token_ids(reading);
  read_tied_output(reading, false);
  read_latent_heads(reading, query_rank);
}

}  // namespace

void read_deepseek_v2(Reading& reading) {
  read_deepseek(reading, 1536);
  ConfigFields& fields = reading.fields;
  read_scored_experts(reading, {});
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
  read_deepseek(reading, 1536);
  read_sigmoid_experts(reading, 3, kDeepSeekRouting);
}

void read_glm_latents(Reading& reading) {
  read_deepseek(reading, 2048);
  read_norm_eps(reading, {"rms_norm_eps"}, 1e-5);
  read_sigmoid_experts(reading, 3, {.scale = 2.5});
}

}  // namespace kvasir::model::decoder
