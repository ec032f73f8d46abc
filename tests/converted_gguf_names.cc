#include "converted_gguf_names.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "base/check.h"

namespace kvasir::testing {
namespace {

struct Renamed {
  std::string_view from;
  std::string_view to;
};

constexpr Renamed kArchitectures[] = {
    {"mistral", "llama"},         {"mixtral", "llama"},      {"qwen2_moe", "qwen2moe"},
    {"qwen3_moe", "qwen3moe"},    {"gemma3_text", "gemma3"}, {"gpt_bigcode", "starcoder"},
    {"gpt_oss", "gpt-oss"},       {"glm4_moe", "glm4moe"},   {"deepseek_v2", "deepseek2"},
    {"deepseek_v3", "deepseek2"}, {"olmo3", "olmo2"},
};

// Stems: ".weight" or ".bias" follows.
constexpr Renamed kOutside[] = {
    {"embed_tokens", "token_embd"}, {"wte", "token_embd"},   {"word_embeddings", "token_embd"},
    {"wpe", "position_embd"},       {"norm", "output_norm"}, {"ln_f", "output_norm"},
    {"lm_head", "output"},
};

// The first that fits counts.
constexpr Renamed kGemma[] = {{"post_attention_layernorm", "post_attention_norm"},
                              {"pre_feedforward_layernorm", "ffn_norm"},
                              {"post_feedforward_layernorm", "post_ffw_norm"}};
constexpr Renamed kNormBehindAttention[] = {{"post_attention_layernorm", "post_attention_norm"}};
constexpr Renamed kLayer[] = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"ln_1", "attn_norm"},
    {"ln_2", "ffn_norm"},
    {"ln_mlp", "attn_norm"},
    {"ln_attn", "attn_norm_2"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"attn.c_attn", "attn_qkv"},
    {"self_attention.query_key_value", "attn_qkv"},
    {"self_attn.o_proj", "attn_output"},
    {"attn.c_proj", "attn_output"},
    {"self_attention.dense", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.sinks", "attn_sinks"},
    {"self_attn.q_a_proj", "attn_q_a"},
    {"self_attn.q_a_layernorm", "attn_q_a_norm"},
    {"self_attn.q_b_proj", "attn_q_b"},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
    {"self_attn.kv_b_proj", "attn_kv_b"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
    {"mlp.dense_h_to_4h", "ffn_up"},
    {"mlp.dense_4h_to_h", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.router", "ffn_gate_inp"},
    {"block_sparse_moe.gate", "ffn_gate_inp"},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
    {"mlp.experts.gate_up_proj", "ffn_gate_up_exps"},
    {"mlp.experts.down_proj", "ffn_down_exps"},
    {"gate_proj", "ffn_gate"},  // of an expert
    {"up_proj", "ffn_up"},
    {"down_proj", "ffn_down"},
    {"w1", "ffn_gate"},
    {"w2", "ffn_down"},
    {"w3", "ffn_up"},
};

std::string_view find(std::span<const Renamed> table, std::string_view name) {
  for (const Renamed& names : table) {
    if (names.from == name) return names.to;
  }
  return {};
}

bool remove_prefix(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

// The number that the name begins with, and the dot behind it.
std::string_view take_number(std::string_view& name) {
  const auto end = static_cast<size_t>(
      std::find_if(name.begin(), name.end(), [](char c) { return std::isdigit(c) == 0; }) -
      name.begin());
  const std::string_view number = name.substr(0, end);
  name.remove_prefix(end == 0 ? 0 : end + 1);
  return number;
}

// "mlp.experts.3." and its like.
bool remove_expert(std::string_view& name) {
  for (const std::string_view experts : {"mlp.experts.", "block_sparse_moe.experts."}) {
    std::string_view rest = name;
    if (!remove_prefix(rest, experts) || take_number(rest).empty()) continue;
    name = rest;
    return true;
  }
  return false;
}

std::span<const Renamed> particular_names(std::string_view model_type) {
  if (model_type == "gemma2" || model_type == "gemma3_text" || model_type.starts_with("olmo"))
    return kGemma;
  if (model_type == "gpt_oss" || model_type == "glm4_moe") return kNormBehindAttention;
  return {};
}

std::string layer_name(std::string_view model_type, std::string_view name) {
  if (name == "mlp.gate.e_score_correction_bias") return "exp_probs_b.bias";
  if (name == "self_attn.sinks") return "attn_sinks.weight";
  std::string end;
  for (const std::string_view suffix : {".weight", ".bias", "_bias"}) {
    if (!name.ends_with(suffix)) continue;
    name.remove_suffix(suffix.size());
    end = suffix == "_bias" ? ".bias" : suffix;
    break;
  }
  if (end.empty()) end = ".weight";
  const bool is_expert = remove_expert(name);
  const bool is_shared =
      remove_prefix(name, "mlp.shared_expert.") || remove_prefix(name, "mlp.shared_experts.");
  std::string_view to = find(particular_names(model_type), name);
  if (to.empty()) to = find(kLayer, name);
  KVASIR_CHECK(!to.empty(), "a tensor whose name is known");
  return std::string(to) + (is_expert ? "_exps" : is_shared ? "_shexp" : "") + end;
}

}  // namespace

std::string gguf_architecture(std::string_view model_type) {
  const std::string_view other = find(kArchitectures, model_type);
  return std::string(other.empty() ? model_type : other);
}

std::string gguf_tensor_name(std::string_view model_type, std::string_view stored) {
  remove_prefix(stored, "model.") || remove_prefix(stored, "transformer.");
  if (remove_prefix(stored, "layers.") || remove_prefix(stored, "h.")) {
    const std::string number(take_number(stored));
    return "blk." + number + "." + layer_name(model_type, stored);
  }
  const size_t dot = stored.rfind('.');
  const std::string_view to = find(kOutside, stored.substr(0, dot));
  KVASIR_CHECK(!to.empty(), "a tensor whose name is known");
  return std::string(to) + std::string(stored.substr(dot));
}

}  // namespace kvasir::testing
