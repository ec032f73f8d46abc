#include "model/deepseek_v4/gguf_tensor_names.h"

#include <algorithm>
#include <array>

#include "model/deepseek_v4/tensor_names.h"

namespace kvasir::model::deepseek_v4 {
namespace {

struct Row {
  std::string_view stored;
  std::string_view official;
};

constexpr auto kTop = std::to_array<Row>({
    {"token_embd.weight", "embed.weight"},
    {"output.weight", "head.weight"},
    {"output_norm.weight", "norm.weight"},
    {"output_hc_fn.weight", "hc_head_fn"},
    {"output_hc_base.weight", "hc_head_base"},
    {"output_hc_scale.weight", "hc_head_scale"},
});

// Behind "blk.N." and "layers.N.".
constexpr auto kLayer = std::to_array<Row>({
    {"hc_attn_fn.weight", "hc_attn_fn"},
    {"hc_attn_base.weight", "hc_attn_base"},
    {"hc_attn_scale.weight", "hc_attn_scale"},
    {"hc_ffn_fn.weight", "hc_ffn_fn"},
    {"hc_ffn_base.weight", "hc_ffn_base"},
    {"hc_ffn_scale.weight", "hc_ffn_scale"},
    {"attn_norm.weight", "attn_norm.weight"},
    {"ffn_norm.weight", "ffn_norm.weight"},

    {"attn_q_a.weight", "attn.wq_a.weight"},
    {"attn_q_a_norm.weight", "attn.q_norm.weight"},
    {"attn_q_b.weight", "attn.wq_b.weight"},
    {"attn_kv.weight", "attn.wkv.weight"},
    {"attn_kv_a_norm.weight", "attn.kv_norm.weight"},
    {"attn_output_a.weight", "attn.wo_a.weight"},
    {"attn_output_b.weight", "attn.wo_b.weight"},
    {"attn_sinks.weight", "attn.attn_sink"},

    {"attn_compressor_kv.weight", "attn.compressor.wkv.weight"},
    {"attn_compressor_gate.weight", "attn.compressor.wgate.weight"},
    {"attn_compressor_ape.weight", "attn.compressor.ape"},
    {"attn_compressor_norm.weight", "attn.compressor.norm.weight"},

    {"indexer.attn_q_b.weight", "attn.indexer.wq_b.weight"},
    {"indexer.proj.weight", "attn.indexer.weights_proj.weight"},
    {"indexer_compressor_kv.weight", "attn.indexer.compressor.wkv.weight"},
    {"indexer_compressor_gate.weight", "attn.indexer.compressor.wgate.weight"},
    {"indexer_compressor_ape.weight", "attn.indexer.compressor.ape"},
    {"indexer_compressor_norm.weight", "attn.indexer.compressor.norm.weight"},

    {"ffn_gate_inp.weight", "ffn.gate.weight"},
    {"ffn_gate_tid2eid.weight", "ffn.gate.tid2eid"},
    {"exp_probs_b.bias", "ffn.gate.bias"},
    {"ffn_gate_exps.weight", "ffn.experts.w1.weight"},
    {"ffn_up_exps.weight", "ffn.experts.w3.weight"},
    {"ffn_down_exps.weight", "ffn.experts.w2.weight"},
    {"ffn_gate_shexp.weight", "ffn.shared_experts.w1.weight"},
    {"ffn_up_shexp.weight", "ffn.shared_experts.w3.weight"},
    {"ffn_down_shexp.weight", "ffn.shared_experts.w2.weight"},
});

constexpr std::string_view kStoredLayer = "blk.";
constexpr std::string_view kOfficialLayer = "layers.";
constexpr std::string_view kDraftParts = "nextn.";

using Column = std::string_view Row::*;

template <class Rows>
const Row* find_row(const Rows& rows, Column column, std::string_view name) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.*column == name; });
  return row == rows.end() ? nullptr : &*row;
}

// A name of a layer, cut behind its number.
struct LayerName {
  std::string_view index;
  std::string_view rest;
};

std::optional<LayerName> layer_name(std::string_view name, std::string_view beginning) {
  if (!name.starts_with(beginning)) return std::nullopt;
  name.remove_prefix(beginning.size());
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || !is_index(name.substr(0, dot))) return std::nullopt;
  return LayerName{.index = name.substr(0, dot), .rest = name.substr(dot + 1)};
}

std::string joined(std::string_view beginning, const LayerName& name, std::string_view rest) {
  return std::string(beginning).append(name.index).append(".").append(rest);
}

}  // namespace

std::optional<std::string> official_name_of_gguf(std::string_view stored_name) {
  const auto name = layer_name(stored_name, kStoredLayer);
  if (!name) {
    const Row* row = find_row(kTop, &Row::stored, stored_name);
    return row == nullptr ? std::nullopt : std::optional(std::string(row->official));
  }
  if (name->rest.starts_with(kDraftParts)) return joined(kOfficialLayer, *name, name->rest);
  const Row* row = find_row(kLayer, &Row::stored, name->rest);
  if (row == nullptr) return std::nullopt;
  return joined(kOfficialLayer, *name, row->official);
}

std::string gguf_name_of(std::string_view official_name) {
  const auto name = layer_name(official_name, kOfficialLayer);
  const Row* row = name ? find_row(kLayer, &Row::official, name->rest)
                        : find_row(kTop, &Row::official, official_name);
  if (row == nullptr) return std::string(official_name);
  return name ? joined(kStoredLayer, *name, row->stored) : std::string(row->stored);
}

}  // namespace kvasir::model::deepseek_v4
