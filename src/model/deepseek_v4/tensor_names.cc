#include "model/deepseek_v4/tensor_names.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace kvasir::model::deepseek_v4 {
namespace {

// A Place says where in a name the next word stands.
enum class Place : uint8_t {
  kTop,
  kLayerIndex,
  kLayer,
  kHyper,
  kHeadHyper,
  kAttention,
  kCompressor,
  kIndexer,
  kIndexerCompressor,
  kMoe,
  kRouter,
  kExperts,
  kExpert,
  kVector,  // "weight"
  kMatrix,  // "weight" or its scale
  kEnd,
};

// At `place`, `word` continues the official name with `official` and leads to `next`. The first
// row of a target holds the official word. Run-time names put the indexer inside the compressor,
// which is why "compressor" is only written once the word behind it is known.
struct Row {
  Place place;
  std::string_view word;
  std::string_view official;
  Place next;
};

using enum Place;
constexpr auto kRows = std::to_array<Row>({
    {kTop, "embed", "embed.", kMatrix},
    {kTop, "embed_tokens", "embed.", kMatrix},
    {kTop, "head", "head.", kMatrix},
    {kTop, "lm_head", "head.", kMatrix},
    {kTop, "norm", "norm.", kVector},
    {kTop, "hc_head_fn", "hc_head_fn", kEnd},
    {kTop, "hc_head_base", "hc_head_base", kEnd},
    {kTop, "hc_head_scale", "hc_head_scale", kEnd},
    {kTop, "hc_head", "hc_head_", kHeadHyper},
    {kHeadHyper, "hc_fn", "fn", kEnd},
    {kHeadHyper, "hc_base", "base", kEnd},
    {kHeadHyper, "hc_scale", "scale", kEnd},
    {kTop, "layers", "layers.", kLayerIndex},

    {kLayer, "attn_norm", "attn_norm.", kVector},
    {kLayer, "input_layernorm", "attn_norm.", kVector},
    {kLayer, "ffn_norm", "ffn_norm.", kVector},
    {kLayer, "post_attention_layernorm", "ffn_norm.", kVector},
    {kLayer, "hc_attn_fn", "hc_attn_fn", kEnd},
    {kLayer, "hc_attn_base", "hc_attn_base", kEnd},
    {kLayer, "hc_attn_scale", "hc_attn_scale", kEnd},
    {kLayer, "attn_hc", "hc_attn_", kHyper},
    {kLayer, "hc_ffn_fn", "hc_ffn_fn", kEnd},
    {kLayer, "hc_ffn_base", "hc_ffn_base", kEnd},
    {kLayer, "hc_ffn_scale", "hc_ffn_scale", kEnd},
    {kLayer, "ffn_hc", "hc_ffn_", kHyper},
    {kHyper, "fn", "fn", kEnd},
    {kHyper, "base", "base", kEnd},
    {kHyper, "scale", "scale", kEnd},

    {kLayer, "attn", "attn.", kAttention},
    {kLayer, "self_attn", "attn.", kAttention},
    {kAttention, "wq_a", "wq_a.", kMatrix},
    {kAttention, "q_a_proj", "wq_a.", kMatrix},
    {kAttention, "q_norm", "q_norm.", kVector},
    {kAttention, "q_a_norm", "q_norm.", kVector},
    {kAttention, "wq_b", "wq_b.", kMatrix},
    {kAttention, "q_b_proj", "wq_b.", kMatrix},
    {kAttention, "wkv", "wkv.", kMatrix},
    {kAttention, "kv_proj", "wkv.", kMatrix},
    {kAttention, "kv_norm", "kv_norm.", kVector},
    {kAttention, "norm", "kv_norm.", kVector},  // transformers 5.23 saves it so
    {kAttention, "wo_a", "wo_a.", kMatrix},
    {kAttention, "o_a_proj", "wo_a.", kMatrix},
    {kAttention, "wo_b", "wo_b.", kMatrix},
    {kAttention, "o_b_proj", "wo_b.", kMatrix},
    {kAttention, "attn_sink", "attn_sink", kEnd},
    {kAttention, "sinks", "attn_sink", kEnd},

    {kAttention, "compressor", "", kCompressor},
    {kCompressor, "wkv", "compressor.wkv.", kMatrix},
    {kCompressor, "kv_proj", "compressor.wkv.", kMatrix},
    {kCompressor, "wgate", "compressor.wgate.", kMatrix},
    {kCompressor, "gate_proj", "compressor.wgate.", kMatrix},
    {kCompressor, "ape", "compressor.ape", kEnd},
    {kCompressor, "position_bias", "compressor.ape", kEnd},
    {kCompressor, "norm", "compressor.norm.", kVector},
    {kCompressor, "kv_norm", "compressor.norm.", kVector},

    {kAttention, "indexer", "indexer.", kIndexer},
    {kCompressor, "indexer", "indexer.", kIndexer},
    {kIndexer, "wq_b", "wq_b.", kMatrix},
    {kIndexer, "q_b_proj", "wq_b.", kMatrix},
    {kIndexer, "weights_proj", "weights_proj.", kMatrix},
    {kIndexer, "scorer", "", kIndexer},
    {kIndexer, "compressor", "", kIndexerCompressor},
    {kIndexerCompressor, "wkv", "compressor.wkv.", kMatrix},
    {kIndexerCompressor, "kv_proj", "compressor.wkv.", kMatrix},
    {kIndexer, "kv_proj", "compressor.wkv.", kMatrix},
    {kIndexerCompressor, "wgate", "compressor.wgate.", kMatrix},
    {kIndexerCompressor, "gate_proj", "compressor.wgate.", kMatrix},
    {kIndexer, "gate_proj", "compressor.wgate.", kMatrix},
    {kIndexerCompressor, "ape", "compressor.ape", kEnd},
    {kIndexerCompressor, "position_bias", "compressor.ape", kEnd},
    {kIndexer, "position_bias", "compressor.ape", kEnd},
    {kIndexerCompressor, "norm", "compressor.norm.", kVector},
    {kIndexerCompressor, "kv_norm", "compressor.norm.", kVector},
    {kIndexer, "kv_norm", "compressor.norm.", kVector},

    {kLayer, "ffn", "ffn.", kMoe},
    {kLayer, "mlp", "ffn.", kMoe},
    {kMoe, "gate", "gate.", kRouter},
    {kRouter, "weight", "weight", kEnd},
    {kRouter, "scale", "scale", kEnd},
    {kRouter, "weight_scale_inv", "scale", kEnd},
    {kRouter, "bias", "bias", kEnd},
    {kRouter, "e_score_correction_bias", "bias", kEnd},
    {kRouter, "tid2eid", "tid2eid", kEnd},
    {kMoe, "experts", "experts.", kExperts},
    {kExperts, "gate_up_proj", "gate_up_proj.weight", kEnd},
    {kExperts, "gate_up_proj_scale_inv", "gate_up_proj.scale", kEnd},
    {kExperts, "down_proj", "down_proj.weight", kEnd},
    {kExperts, "down_proj_scale_inv", "down_proj.scale", kEnd},
    {kMoe, "shared_experts", "shared_experts.", kExpert},
    {kExpert, "w1", "w1.", kMatrix},
    {kExpert, "gate_proj", "w1.", kMatrix},
    {kExpert, "w3", "w3.", kMatrix},
    {kExpert, "up_proj", "w3.", kMatrix},
    {kExpert, "w2", "w2.", kMatrix},
    {kExpert, "down_proj", "w2.", kMatrix},

    {kVector, "weight", "weight", kEnd},
    {kMatrix, "weight", "weight", kEnd},
    {kMatrix, "scale", "scale", kEnd},
    {kMatrix, "weight_scale_inv", "scale", kEnd},
});

constexpr auto kIgnoredPrefixes =
    std::to_array<std::string_view>({"mtp.", "vision.", "aligner.", "image_"});
constexpr std::string_view kRotaryWord = "rotary_emb";

std::string_view without_model_prefix(std::string_view name) {
  constexpr std::string_view kPrefix = "model.";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

// Takes the text up to the next dot off the front of `rest`.
std::string_view next_word(std::string_view& rest) {
  const size_t dot = rest.find('.');
  const std::string_view word = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  return word;
}

const Row* find_row(Place place, std::string_view word) {
  for (const Row& row : kRows) {
    if (row.place == place && row.word == word) return &row;
  }
  return nullptr;
}

}  // namespace

bool is_index(std::string_view word) {
  constexpr size_t kDigitsMax = 6;
  return !word.empty() && word.size() <= kDigitsMax && (word.size() == 1 || word[0] != '0') &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::string> official_tensor_name(std::string_view stored_name) {
  std::string_view rest = without_model_prefix(stored_name);
  if (rest.ends_with('.')) return std::nullopt;
  std::string official;
  Place place = kTop;
  while (!rest.empty()) {
    const std::string_view word = next_word(rest);
    if (is_index(word) && (place == kLayerIndex || place == kExperts)) {
      official.append(word).append(".");
      place = place == kLayerIndex ? kLayer : kExpert;
      continue;
    }
    const Row* row = find_row(place, word);
    if (row == nullptr) return std::nullopt;
    official += row->official;
    place = row->next;
  }
  if (place != kEnd) return std::nullopt;
  return official;
}

bool tensor_is_ignored(std::string_view stored_name) {
  std::string_view rest = without_model_prefix(stored_name);
  for (const std::string_view prefix : kIgnoredPrefixes) {
    if (rest.starts_with(prefix)) return true;
  }
  while (!rest.empty()) {
    if (next_word(rest) == kRotaryWord) return true;
  }
  return false;
}

}  // namespace kvasir::model::deepseek_v4
