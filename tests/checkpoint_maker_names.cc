#include "checkpoint_maker_names.h"

#include <utility>
#include <vector>

namespace kvasir::testing {
namespace {

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

using Words = std::vector<std::pair<std::string_view, std::string_view>>;

const Words& runtime_words() {
  static const Words words = {
      {"embed.", "embed_tokens."},
      {"hc_head_", "hc_head.hc_"},
      {".attn_norm.", ".input_layernorm."},
      {".ffn_norm.", ".post_attention_layernorm."},
      {".hc_attn_", ".attn_hc."},
      {".hc_ffn_", ".ffn_hc."},
      {".attn.q_norm.", ".attn.q_a_norm."},
      {".indexer.compressor.", ".compressor.indexer."},
      {".attn.indexer.wq_b.", ".attn.compressor.indexer.q_b_proj."},
      {".attn.indexer.weights_proj.", ".attn.compressor.indexer.scorer.weights_proj."},
      {"compressor.norm.", "compressor.kv_norm."},
      {"compressor.indexer.norm.", "compressor.indexer.kv_norm."},
      {".wq_a.", ".q_a_proj."},
      {".wq_b.", ".q_b_proj."},
      {".wkv.", ".kv_proj."},
      {".wgate.", ".gate_proj."},
      {".ape", ".position_bias"},
      {".wo_a.", ".o_a_proj."},
      {".wo_b.", ".o_b_proj."},
      {".attn_sink", ".sinks"},
      {".gate.bias", ".gate.e_score_correction_bias"},
      {".w1.", ".gate_proj."},
      {".w3.", ".up_proj."},
      {".w2.", ".down_proj."},
      {".attn.", ".self_attn."},
      {".ffn.", ".mlp."},
  };
  return words;
}

}  // namespace

std::string spelled(std::string name, NameForm form) {
  if (form == NameForm::kOfficial) return name;
  if (form == NameForm::kModelPrefix) return "model." + name;
  if (form == NameForm::kSaved) {
    if (name.starts_with("head.")) return name;
    name = replace_all(std::move(name), ".attn.kv_norm.", ".attn.norm.");
    name = replace_all(std::move(name), "embed.", "embed_tokens.");
    return "model." + replace_all(std::move(name), "hc_head_", "hc_head.hc_");
  }
  const bool is_scale = name.ends_with(".scale");
  if (is_scale) name.replace(name.size() - 5, 5, "weight_scale_inv");
  if (name.starts_with("head.")) return "lm_" + name;
  for (const auto& [from, to] : runtime_words()) name = replace_all(std::move(name), from, to);
  return "model." + name;
}

}  // namespace kvasir::testing
