#include "converted_gguf_keys.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace kvasir::testing {
namespace {

struct Renamed {
  const char* key;
  const char* field;
};

constexpr Renamed kNumbers[] = {
    {"context_length", "max_position_embeddings"},
    {"context_length", "n_positions"},
    {"embedding_length", "hidden_size"},
    {"embedding_length", "n_embd"},
    {"feed_forward_length", "intermediate_size"},
    {"feed_forward_length", "ffn_hidden_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count", "n_head"},
    {"attention.head_count_kv", "num_kv_heads"},
    {"expert_count", "num_local_experts"},
    {"expert_count", "num_experts"},
    {"expert_count", "n_routed_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_group_count", "n_group"},
    {"expert_group_used_count", "topk_group"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
    {"expert_shared_count", "n_shared_experts"},
    {"leading_dense_block_count", "first_k_dense_replace"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"nextn_predict_layers", "num_nextn_predict_layers"},
    {"vocab_size", "vocab_size"},
};

constexpr Renamed kReals[] = {
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"attention.layer_norm_epsilon", "norm_epsilon"},
    {"expert_weights_scale", "routed_scaling_factor"},
    {"attention.scale", "attention_multiplier"},
    {"embedding_scale", "embedding_multiplier"},
    {"residual_scale", "residual_multiplier"},
    {"logit_scale", "logits_scaling"},
    {"attn_logit_softcapping", "attn_logit_softcapping"},
    {"final_logit_softcapping", "final_logit_softcapping"},
};

// Writes keys of one file.
class Keys {
 public:
  Keys(const Json& config, const std::string& architecture, GgufMaker& maker)
      : config_(config), architecture_(architecture), maker_(maker) {}

  void add(const ConversionForm& form) {
    maker_.text("general.architecture", architecture_);
    const double layers = number_of(config_, "num_hidden_layers", number_of(config_, "n_layer"));
    number("block_count", layers + (form.counts_drafts ? 1 : 0));
    for (const Renamed& names : kNumbers) {
      if (has(names.field) && names.key != form.left_out)
        number(names.key, number_of(config_, names.field));
    }
    for (const Renamed& names : kReals) {
      if (has(names.field)) real(names.key, number_of(config_, names.field));
    }
    add_what_is_not_in_configs();
    has("kv_lora_rank") ? add_latents(form) : add_heads();
    add_window();
    if (architecture_ == "olmo2" && has("layer_types")) add_pattern();
    if (form.window_pattern > 0) {
      number("attention.sliding_window_pattern", static_cast<double>(form.window_pattern));
    }
    add_rope();
  }

 private:
  bool has(std::string_view field) const {
    const Json* value = config_.find(field);
    return value != nullptr && !value->is_null();
  }
  void number(const std::string& name, double value) {
    maker_.number(architecture_ + "." + name, static_cast<uint32_t>(value));
  }
  void real(const std::string& name, double value) {
    maker_.real(architecture_ + "." + name, static_cast<float>(value));
  }

  void add_what_is_not_in_configs() {
    const bool is_gpt = has("n_embd");
    if (is_gpt) number("feed_forward_length", 4 * number_of(config_, "n_embd"));
    if (is_gpt && architecture_ == "starcoder" && !has("num_key_value_heads")) {
      number("attention.head_count_kv", 1);
    }
    if (architecture_ == "falcon" && !has("num_kv_heads")) number("attention.head_count_kv", 1);
    if (architecture_ == "gpt-oss") {
      number("expert_feed_forward_length", number_of(config_, "intermediate_size"));
    }
    if (architecture_ == "glm4moe") number("expert_gating_func", 2);
    const bool has_norm = architecture_ == "glm4moe" || architecture_ == "deepseek2";
    const Json* norm = config_.find("norm_topk_prob");
    if (has_norm && norm != nullptr && *norm->as_bool()) {
      maker_.flag(architecture_ + ".expert_weights_norm", true);
    }
  }

  void add_heads() {
    if (turns_all_of_a_head()) number("rope.dimension_count", head_dim());
    if (has("num_key_value_heads")) {
      number("attention.head_count_kv", number_of(config_, "num_key_value_heads"));
    }
    if (!has("head_dim") || architecture_ == "phi3" || architecture_ == "granite") return;
    number("attention.key_length", number_of(config_, "head_dim"));
    number("attention.value_length", number_of(config_, "head_dim"));
  }

  bool turns_all_of_a_head() const {
    return architecture_ == "llama" || architecture_ == "smollm3" || architecture_ == "granite" ||
           architecture_ == "phi3";
  }
  double head_dim() const {
    return number_of(config_, "head_dim",
                     number_of(config_, "hidden_size") / number_of(config_, "num_attention_heads"));
  }

  void add_latents(const ConversionForm& form) {
    const double turned = number_of(config_, "qk_rope_head_dim");
    const double key = number_of(config_, "qk_nope_head_dim") + turned;
    const double value = number_of(config_, "v_head_dim");
    const double rank = number_of(config_, "kv_lora_rank");
    number("rope.dimension_count", turned);
    number("attention.head_count_kv",
           form.splits_latents ? 1 : number_of(config_, "num_attention_heads"));
    number("attention.key_length", form.splits_latents ? rank + turned : key);
    number("attention.value_length", form.splits_latents ? rank : value);
    // Files of the older form have no gating function either.
    const bool is_third = *config_.find("model_type")->as_string() == "deepseek_v3";
    if (form.splits_latents || is_third) number("expert_gating_func", is_third ? 2 : 1);
    if (!form.splits_latents) return;
    number("attention.key_length_mla", key);
    number("attention.value_length_mla", value);
  }

  void add_window() {
    if (!has("sliding_window")) return;
    for (const char* writes : {"phi3", "gemma2", "gemma3", "gpt-oss", "olmo2"}) {
      if (architecture_ == writes) {
        number("attention.sliding_window", number_of(config_, "sliding_window"));
      }
    }
  }

  void add_pattern() {
    std::vector<bool> is_windowed;
    for (const Json& type : *config_.find("layer_types")->as_array()) {
      is_windowed.push_back(*type.as_string() == "sliding_attention");
    }
    maker_.flags(architecture_ + ".attention.sliding_window_pattern", is_windowed);
  }

  void add_rope() {
    const Json* rope = config_.find("rope_parameters");
    if (rope == nullptr) return;
    const Json* full = rope->find("full_attention");
    const Json* sliding = rope->find("sliding_attention");
    if (sliding != nullptr) real("rope.freq_base_swa", number_of(*sliding, "rope_theta"));
    if (full != nullptr) rope = full;
    real("rope.freq_base", number_of(*rope, "rope_theta"));
    if (const double part = number_of(*rope, "partial_rotary_factor", 1); part != 1) {
      number("rope.dimension_count", number_of(config_, "head_dim") * part);
    }
    const std::string type = *rope->find("rope_type")->as_string();
    if (type == "longrope") add_longrope(*rope);
    if (type != "linear" && type != "yarn") return;
    maker_.text(architecture_ + ".rope.scaling.type", type);
    real("rope.scaling.factor", number_of(*rope, "factor"));
    if (type == "yarn") add_yarn(*rope);
  }

  void add_longrope(const Json& rope) {
    const double original = number_of(rope, "original_max_position_embeddings");
    const double scale = number_of(config_, "max_position_embeddings") / original;
    number("rope.scaling.original_context_length", original);
    real("rope.scaling.attn_factor",
         scale > 1 ? std::sqrt(1 + std::log(scale) / std::log(original)) : 1);
  }

  void add_yarn(const Json& rope) {
    number("rope.scaling.original_context_length",
           number_of(rope, "original_max_position_embeddings"));
    for (const auto& [key, field] : {std::pair{"yarn_attn_factor", "attention_factor"},
                                     {"yarn_beta_fast", "beta_fast"},
                                     {"yarn_beta_slow", "beta_slow"}}) {
      if (rope.find(field) != nullptr) {
        real(std::string("rope.scaling.") + key, number_of(rope, field));
      }
    }
    const double of_all = number_of(rope, "mscale_all_dim");
    if (of_all != 0) real("rope.scaling.yarn_log_multiplier", 0.1 * of_all);
  }

  const Json& config_;
  const std::string& architecture_;
  GgufMaker& maker_;
};

}  // namespace

void add_keys(const Json& config, const std::string& architecture, const ConversionForm& form,
              GgufMaker& maker) {
  Keys(config, architecture, maker).add(form);
}

double number_of(const Json& config, std::string_view name, double absent) {
  const Json* value = config.find(name);
  if (value == nullptr || value->is_null()) return absent;
  return value->as_double() != nullptr ? *value->as_double()
                                       : static_cast<double>(*value->as_integer());
}

}  // namespace kvasir::testing
