// Architectures without experts. Where a config leaves a field out, the reference's config class
// says what it means.
#include <algorithm>
#include <cmath>
#include <string>

#include "model/decoder/architectures.h"
#include "model/decoder/config_reading.h"

namespace kvasir::model::decoder {

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
  read_windows(reading, on_all_layers);
  read_rope(reading);
}

void read_qwen2(Reading& reading) {
  read_llama_like(reading, 1e-6);
  reading.config.has_query_bias = true;
  read_tied_output(reading, false);
  read_qwen_windows(reading);
  read_rope(reading);
}

void read_qwen3(Reading& reading) {
  read_llama_like(reading, 1e-6, 128);
  read_bias(reading, "attention_bias", false, true);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_tied_output(reading, false);
  read_qwen_windows(reading);
  read_rope(reading);
}
namespace {

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

}  // namespace

void read_smollm3(Reading& reading) {
  read_llama_like(reading, 1e-6);
  read_bias(reading, "attention_bias", false, true);
  reading.config.has_mlp_bias = reading.fields.boolean_or({"mlp_bias"}, false);
  read_tied_output(reading, true);
  const bool has_window = reading.fields.boolean_or({"use_sliding_window"}, false);
  read_windows(reading, has_window ? on_all_layers : on_no_layer);
  read_rope(reading);
  read_unturned_layers(reading);
}
namespace {

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

}  // namespace

void read_gemma(Reading& reading) {
  read_gemma_like(reading, 256, 0);
  read_rope(reading);
}

void read_gemma2(Reading& reading) {
  read_gemma_like(reading, 256, 256);
  read_caps(reading, 50, 30);
  read_windows(reading, on_even_layers);
  read_rope(reading);
}

void read_gemma3(Reading& reading) {
  read_gemma_like(reading, 256, 256);
  read_caps(reading, 0, 0);
  reading.config.head_norm = HeadNorm::kEachHead;
  read_windows(reading, on_all_layers);
  if (!reading.fields.has({"layer_types"})) {
    const int64_t pattern = reading.fields.integer_or(
        {"sliding_window_pattern", "_sliding_window_pattern"}, 1, kLayersMax, 6);
    for (int64_t layer = pattern - 1; layer < reading.config.layer_count; layer += pattern) {
      reading.config.layers[static_cast<size_t>(layer)].window_tokens = 0;
    }
  }
  read_rope_by_layer_type(reading, 1e6, 10000);
}

void read_phi3(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_tied_output(reading, false);
  read_windows(reading, on_all_layers);
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
  read_windows(reading, on_all_layers);
  read_rope(reading);
}
namespace {

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

}  // namespace

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

namespace {

void read_olmo_like(Reading& reading) {
  read_llama_like(reading, 1e-5);
  read_bias(reading, "attention_bias", false, true);
  Config& config = reading.config;
  config.has_input_norms = false;
  config.has_output_norms = true;
  config.head_norm = HeadNorm::kAllHeads;
  read_tied_output(reading, false);
}

}  // namespace

void read_olmo2(Reading& reading) {
  read_olmo_like(reading);
  read_rope(reading);
}

void read_olmo3(Reading& reading) {
  read_olmo_like(reading);
  read_windows(reading, on_three_of_four_layers);
  read_rope_by_layer_type(reading, 5e5, std::nullopt);
}

}  // namespace kvasir::model::decoder
