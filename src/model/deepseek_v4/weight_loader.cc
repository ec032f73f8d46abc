#include "model/deepseek_v4/weight_loader.h"

#include <string>

namespace kvasir::model::deepseek_v4 {
namespace {

// Bundles what every step below needs. `at` is the official name so far: "layers.3.attn.".
class WeightLoader {
 public:
  WeightLoader(const Config& config, TensorReader& reader)
      : config_(config), reader_(reader), is_gguf_(reader.form() == CheckpointForm::kGguf) {}

  Status load(Weights& weights) {
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix("embed", config_.vocab_size, config_.hidden_size, weights.embedding));
    weights.layers.resize(static_cast<size_t>(config_.layer_count));
    for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
      KVASIR_RETURN_IF_ERROR(load_layer(layer, weights.layers[static_cast<size_t>(layer)]));
    }
    KVASIR_RETURN_IF_ERROR(load_hyper("hc_head_", config_.stream_count, 1, weights.head_hyper));
    KVASIR_RETURN_IF_ERROR(reader_.vector("norm.weight", {config_.hidden_size}, weights.norm));
    return load_output(weights);
  }

 private:
  // A tied model may still store its head; then the stored one counts.
  Status load_output(Weights& weights) {
    if (config_.tie_word_embeddings && !reader_.has("head.weight")) {
      weights.output = weights.embedding;
      return ok_status();
    }
    return reader_.matrix("head", config_.vocab_size, config_.hidden_size, weights.output);
  }

  Status load_layer(int64_t layer, LayerWeights& weights) {
    const std::string at = "layers." + std::to_string(layer) + ".";
    const int64_t mix_count = (2 + config_.stream_count) * config_.stream_count;
    KVASIR_RETURN_IF_ERROR(load_hyper(at + "hc_attn_", mix_count, 3, weights.attention_hyper));
    KVASIR_RETURN_IF_ERROR(
        reader_.vector(at + "attn_norm.weight", {config_.hidden_size}, weights.attention_norm));
    const LayerKind kind = config_.layers[static_cast<size_t>(layer)];
    KVASIR_RETURN_IF_ERROR(load_attention(at + "attn.", kind, weights.attention));
    KVASIR_RETURN_IF_ERROR(load_hyper(at + "hc_ffn_", mix_count, 3, weights.moe_hyper));
    KVASIR_RETURN_IF_ERROR(
        reader_.vector(at + "ffn_norm.weight", {config_.hidden_size}, weights.moe_norm));
    return load_moe(at + "ffn.", layer < config_.hash_layer_count, weights.moe);
  }

  Status load_hyper(const std::string& at, int64_t rows, int64_t scale_count,
                    HyperWeights& weights) {
    const int64_t cols = config_.stream_count * config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(reader_.plain_matrix(at + "fn", rows, cols, weights.fn));
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "base", {rows}, weights.base));
    return reader_.vector(at + "scale", {scale_count}, weights.scale);
  }

  Status load_attention(const std::string& at, LayerKind kind, AttentionWeights& weights) {
    const int64_t hidden = config_.hidden_size;
    const int64_t rank = config_.query_rank;
    const int64_t dim = config_.head_dim;
    const int64_t heads_width = config_.head_count * dim;
    const int64_t output_width = config_.output_group_count * config_.output_rank;
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wq_a", rank, hidden, weights.query_a));
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "q_norm.weight", {rank}, weights.query_norm));
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wq_b", heads_width, rank, weights.query_b));
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wkv", dim, hidden, weights.row));
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "kv_norm.weight", {dim}, weights.row_norm));
    KVASIR_RETURN_IF_ERROR(load_output_a(at + "wo_a", weights));
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wo_b", hidden, output_width, weights.output_b));
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "attn_sink", {config_.head_count}, weights.sinks));
    if (kind == LayerKind::kWindow) return ok_status();
    const int64_t ratio = kind == LayerKind::kCsa ? kCsaRatio : kHcaRatio;
    KVASIR_RETURN_IF_ERROR(load_compressor(at + "compressor.", ratio, dim, weights.compressor));
    if (kind == LayerKind::kHca) return ok_status();
    return load_indexer(at + "indexer.", weights.indexer);
  }

  Status load_output_a(const std::string& stem, AttentionWeights& weights) {
    const int64_t groups = config_.output_group_count;
    const int64_t rank = config_.output_rank;
    const int64_t cols = config_.head_count * config_.head_dim / groups;
    if (reader_.is_stack(stem)) {
      KVASIR_ASSIGN_OR_RETURN(const MatrixStack stack,
                              reader_.matrix_stack(stem, groups, rank, cols));
      for (int64_t group = 0; group < groups; ++group) weights.output_a.push_back(stack.at(group));
      return ok_status();
    }
    kernels::WeightMatrix whole;
    KVASIR_RETURN_IF_ERROR(reader_.matrix(stem, groups * rank, cols, whole));
    for (int64_t group = 0; group < groups; ++group) {
      weights.output_a.push_back(slice_rows(whole, group * rank, rank));
    }
    return ok_status();
  }

  Status load_compressor(const std::string& at, int64_t ratio, int64_t width,
                         CompressorWeights& weights) {
    const int64_t rows = ratio == kCsaRatio ? 2 * width : width;
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wkv", rows, config_.hidden_size, weights.values));
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "wgate", rows, config_.hidden_size, weights.gates));
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "ape", {ratio, rows}, weights.position_bias));
    return reader_.vector(at + "norm.weight", {width}, weights.norm);
  }

  Status load_indexer(const std::string& at, IndexerWeights& weights) {
    const int64_t heads = config_.index_head_count;
    const int64_t dim = config_.index_head_dim;
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(at + "wq_b", heads * dim, config_.query_rank, weights.query));
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(at + "weights_proj", heads, config_.hidden_size, weights.head_weights));
    return load_compressor(at + "compressor.", kCsaRatio, dim, weights.compressor);
  }

  Status load_moe(const std::string& at, bool is_hash, MoeWeights& weights) {
    const int64_t experts = config_.expert_count;
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(at + "gate", experts, config_.hidden_size, weights.router));
    if (is_hash) {
      KVASIR_RETURN_IF_ERROR(load_hash_table(at + "gate.tid2eid", weights.hash_table));
    } else {
      KVASIR_RETURN_IF_ERROR(reader_.vector(at + "gate.bias", {experts}, weights.router_bias));
    }
    KVASIR_RETURN_IF_ERROR(load_experts(at + "experts.", weights));
    return load_expert(at + "shared_experts.", config_.shared_expert_count * config_.expert_width,
                       weights.shared);
  }

  Status load_hash_table(const std::string& name, HashTable& table) {
    KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor,
                            reader_.expert_table(name, config_.vocab_size,
                                                 config_.experts_per_token, config_.expert_count));
    table.data = tensor->bytes().data();
    table.experts_per_token = config_.experts_per_token;
    table.is_64_bit = tensor->info.dtype == Dtype::kI64;
    return ok_status();
  }

  Status load_experts(const std::string& at, MoeWeights& weights) {
    if (reader_.has(at + "gate_up_proj.weight")) return load_fused_experts(at, weights);
    if (is_gguf_) return load_stacked_experts(at, weights);
    for (int64_t expert = 0; expert < config_.expert_count; ++expert) {
      KVASIR_RETURN_IF_ERROR(load_expert(at + std::to_string(expert) + ".", config_.expert_width,
                                         weights.experts.emplace_back()));
    }
    return ok_status();
  }

  Status load_expert(const std::string& at, int64_t width, ExpertWeights& weights) {
    const int64_t hidden = config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "w1", width, hidden, weights.gate));
    KVASIR_RETURN_IF_ERROR(reader_.matrix(at + "w3", width, hidden, weights.up));
    return reader_.matrix(at + "w2", hidden, width, weights.down);
  }

  Status load_fused_experts(const std::string& at, MoeWeights& weights) {
    const int64_t experts = config_.expert_count;
    const int64_t width = config_.expert_width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack gate_up,
                            reader_.matrix_stack(at + "gate_up_proj", experts, 2 * width, hidden));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack down,
                            reader_.matrix_stack(at + "down_proj", experts, hidden, width));
    for (int64_t expert = 0; expert < experts; ++expert) {
      weights.experts.push_back({.gate = slice_rows(gate_up.at(expert), 0, width),
                                 .up = slice_rows(gate_up.at(expert), width, width),
                                 .down = down.at(expert)});
    }
    return ok_status();
  }

  Status load_stacked_experts(const std::string& at, MoeWeights& weights) {
    const int64_t experts = config_.expert_count;
    const int64_t width = config_.expert_width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack gate,
                            reader_.matrix_stack(at + "w1", experts, width, hidden));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack up,
                            reader_.matrix_stack(at + "w3", experts, width, hidden));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack down,
                            reader_.matrix_stack(at + "w2", experts, hidden, width));
    for (int64_t expert = 0; expert < experts; ++expert) {
      weights.experts.push_back(
          {.gate = gate.at(expert), .up = up.at(expert), .down = down.at(expert)});
    }
    return ok_status();
  }

  const Config& config_;
  TensorReader& reader_;
  const bool is_gguf_;
};

}  // namespace

Status find_weights(const Config& config, TensorReader& reader, Weights& weights) {
  KVASIR_RETURN_IF_ERROR(WeightLoader(config, reader).load(weights));
  return reader.check_all_taken();
}

}  // namespace kvasir::model::deepseek_v4
