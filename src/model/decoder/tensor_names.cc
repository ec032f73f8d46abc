#include "model/decoder/tensor_names.h"

#include <initializer_list>

namespace kvasir::model::decoder {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view one : names) {
    if (one == name) return true;
  }
  return false;
}

TensorNames names_of_gpt2() {
  return {.embedding = "wte",
          .positions = "wpe",
          .norm = "ln_f",
          .layer = "h.",
          .attention_norm = "ln_1",
          .mlp_norm = "ln_2",
          .fused = FusedQkv::kConcatenated,
          .qkv = "attn.c_attn",
          .output_projection = "attn.c_proj",
          .up = "mlp.c_fc",
          .down = "mlp.c_proj"};
}

TensorNames names_of_falcon() {
  return {.embedding = "word_embeddings",
          .norm = "ln_f",
          .layer = "h.",
          .fused = FusedQkv::kByGroup,
          .qkv = "self_attention.query_key_value",
          .output_projection = "self_attention.dense",
          .up = "mlp.dense_h_to_4h",
          .down = "mlp.dense_4h_to_h"};
}

TensorNames safetensors_names_of(std::string_view architecture) {
  if (architecture == "falcon") return names_of_falcon();
  if (is_one_of(architecture, {"gpt2", "gpt_bigcode"})) {
    TensorNames names = names_of_gpt2();
    names.is_transposed = architecture == "gpt2";
    if (architecture == "gpt_bigcode") names.fused = FusedQkv::kByGroup;
    return names;
  }
  TensorNames names;
  if (is_one_of(architecture, {"gemma2", "gemma3_text"})) {
    names.attention_output_norm = "post_attention_layernorm";
    names.mlp_norm = "pre_feedforward_layernorm";
    names.mlp_output_norm = "post_feedforward_layernorm";
  } else if (is_one_of(architecture, {"olmo2", "olmo3"})) {
    names.attention_output_norm = "post_attention_layernorm";
    names.mlp_output_norm = "post_feedforward_layernorm";
  } else if (architecture == "phi3") {
    names.fused = FusedQkv::kConcatenated;
    names.qkv = "self_attn.qkv_proj";
    names.gate_up = "mlp.gate_up_proj";
  } else if (architecture == "starcoder2") {
    names.up = "mlp.c_fc";
    names.down = "mlp.c_proj";
  } else if (architecture == "mixtral") {
    names.router = "block_sparse_moe.gate";
    names.experts = "block_sparse_moe.experts.";
    names.expert_gate = "w1";
    names.expert_up = "w3";
    names.expert_down = "w2";
  } else if (architecture == "qwen2_moe") {
    names.shared_gate = "mlp.shared_expert.gate_proj";
    names.shared_up = "mlp.shared_expert.up_proj";
    names.shared_down = "mlp.shared_expert.down_proj";
  } else if (architecture == "gpt_oss") {
    names.router = "mlp.router";
  }
  return names;
}

TensorNames gguf_names_of(std::string_view architecture) {
  TensorNames names{.embedding = "token_embd",
                    .positions = "position_embd",
                    .norm = "output_norm",
                    .output = "output",
                    .layer = "blk.",
                    .attention_norm = "attn_norm",
                    .mlp_norm = "ffn_norm",
                    .qkv = "attn_qkv",
                    .query = "attn_q",
                    .key = "attn_k",
                    .value = "attn_v",
                    .output_projection = "attn_output",
                    .query_norm = "attn_q_norm",
                    .key_norm = "attn_k_norm",
                    .sinks = "attn_sinks.weight",
                    .gate = "ffn_gate",
                    .up = "ffn_up",
                    .down = "ffn_down",
                    .router = "ffn_gate_inp",
                    .choice_bias = "exp_probs_b.bias",
                    .gate_stack = "ffn_gate_exps",
                    .up_stack = "ffn_up_exps",
                    .down_stack = "ffn_down_exps",
                    .shared_gate = "ffn_gate_shexp",
                    .shared_up = "ffn_up_shexp",
                    .shared_down = "ffn_down_shexp",
                    .shared_weight = "ffn_gate_inp_shexp",
                    .query_a = "attn_q_a",
                    .query_a_norm = "attn_q_a_norm",
                    .query_b = "attn_q_b",
                    .latent_row = "attn_kv_a_mqa",
                    .latent_norm = "attn_kv_a_norm",
                    .latent_heads = "attn_kv_b",
                    .key_stack = "attn_k_b",
                    .value_stack = "attn_v_b",
                    .index_query = "indexer.attn_q_b",
                    .index_key = "indexer.attn_k",
                    .index_key_norm = "indexer.k_norm",
                    .index_head_weights = "indexer.proj",
                    .rope_divisors = "rope_freqs.weight",
                    .short_divisors = "rope_factors_short.weight",
                    .long_divisors = "rope_factors_long.weight"};
  if (is_one_of(architecture, {"gemma2", "gemma3_text", "olmo2", "olmo3"})) {
    names.attention_output_norm = "post_attention_norm";
    names.mlp_output_norm = "post_ffw_norm";
  } else if (is_one_of(architecture, {"gpt_oss", "glm4_moe"})) {
    names.mlp_norm = "post_attention_norm";
  } else if (architecture == "phi3") {
    names.gate_up = "ffn_up";
  }
  return names;
}

// Whether a part begins the name or follows a dot.
bool has_part(std::string_view name, std::string_view part) {
  const size_t at = name.find(part);
  return at != std::string_view::npos && (at == 0 || name[at - 1] == '.');
}

// Quantisers call the scales of cached rows by the projections that give these.
struct CacheScaleName {
  std::string_view stored;
  std::string_view official;
};

constexpr CacheScaleName kCacheScaleNames[] = {{".k_proj.k_scale", ".k_scale"},
                                               {".k_proj.output_scale", ".k_scale"},
                                               {".v_proj.v_scale", ".v_scale"},
                                               {".v_proj.output_scale", ".v_scale"}};

}  // namespace

TensorNames tensor_names_of(const Config& config) {
  return config.is_gguf ? gguf_names_of(config.architecture)
                        : safetensors_names_of(config.architecture);
}

std::optional<std::string> official_tensor_name(std::string_view stored_name) {
  for (const std::string_view outer :
       {"language_model.", "model.", "language_model.", "text_model.", "model.", "transformer."}) {
    if (stored_name.starts_with(outer)) stored_name.remove_prefix(outer.size());
  }
  std::string name(stored_name);
  for (const CacheScaleName& scale : kCacheScaleNames) {
    if (!stored_name.ends_with(scale.stored)) continue;
    name.resize(name.size() - scale.stored.size());
    return name + std::string(scale.official);
  }
  for (const std::string_view scale : {".weight_scale_inv", ".weight_scale"}) {
    if (stored_name.ends_with(scale)) {
      name.resize(name.size() - scale.size());
      name += ".scale";
    }
  }
  return name;
}

bool tensor_is_ignored(std::string_view stored_name) {
  // Scales of what is rounded beside the weights, and zero points of symmetric codes.
  constexpr std::string_view kEnds[] = {
      "rotary_emb.inv_freq", ".attn.bias",        ".attn.masked_bias",    ".input_scale",
      ".input_scale_ub",     ".activation_scale", ".q_proj.output_scale", ".o_proj.output_scale",
      ".weight_zero_point",  ".input_zero_point", ".output_zero_point",   ".q_scale",
      ".kv_scale",           ".k_zero_point",     ".v_zero_point",        ".prob_scale",
      ".prob_output_scale"};
  for (const std::string_view end : kEnds) {
    if (stored_name.ends_with(end)) return true;
  }
  // Images and sounds.
  constexpr std::string_view kParts[] = {"vision_tower.",
                                         "vision_model.",
                                         "vision_encoder.",
                                         "visual.",
                                         "multi_modal_projector.",
                                         "mm_projector.",
                                         "patch_merger.",
                                         "audio_tower.",
                                         "vision_embed_tokens.",
                                         "vision_language_adapter.",
                                         "connector.",
                                         "mlp1."};
  for (const std::string_view part : kParts) {
    if (has_part(stored_name, part)) return true;
  }
  return has_part(stored_name, "image_newline");
}

}  // namespace kvasir::model::decoder
