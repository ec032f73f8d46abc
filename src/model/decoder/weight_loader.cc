#include "model/decoder/weight_loader.h"

#include <fmt/format.h>

#include <string>

#include "base/check.h"
#include "model/decoder/tensor_names.h"

namespace kvasir::model::decoder {
namespace {

using kernels::WeightMatrix;

std::string joined(std::string_view at, std::string_view name) {
  return std::string(at) + std::string(name);
}

// What a fused tensor of queries, keys and values is cut into.
struct HeadRows {
  int64_t query = 0;
  int64_t key = 0;
  int64_t value = 0;

  int64_t all() const { return query + key + value; }
};

// Bundles what every step below needs. `at` is the name so far: "layers.3.".
class WeightLoader {
 public:
  WeightLoader(const Config& config, TensorReader& reader, TurnedMatrices& turned)
      : config_(config), reader_(reader), turned_(turned), names_(tensor_names_of(config)) {}

  Status load(Weights& weights) {
    const int64_t vocab = config_.vocab_size;
    const int64_t hidden = config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(std::string(names_.embedding), vocab, hidden, weights.embedding));
    if (config_.position_count > 0) {
      KVASIR_RETURN_IF_ERROR(reader_.matrix(std::string(names_.positions), config_.position_count,
                                            hidden, weights.positions));
    }
    weights.layers.resize(static_cast<size_t>(config_.layer_count));
    for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
      KVASIR_RETURN_IF_ERROR(load_layer(layer, weights.layers[static_cast<size_t>(layer)]));
    }
    KVASIR_RETURN_IF_ERROR(load_norm(names_.norm, hidden, weights.norm));
    if (!config_.ropes.empty() && reader_.has(std::string(names_.rope_divisors))) {
      const auto pairs = std::ssize(config_.ropes.front().frequencies);
      KVASIR_RETURN_IF_ERROR(
          reader_.vector(std::string(names_.rope_divisors), {pairs}, weights.rope_divisors));
    }
    // A tied model may still store its head; then the stored one counts.
    if (config_.ties_output && !reader_.has(joined(names_.output, ".weight"))) {
      weights.output = weights.embedding;
      return ok_status();
    }
    return reader_.matrix(std::string(names_.output), vocab, hidden, weights.output);
  }

  // What could not be done before the vectors were read.
  void finish(Weights& weights) const {
    for (LayerWeights& layer : weights.layers) {
      if (config_.norm_adds_one) add_one(layer);
      bind_biases(layer);
      split_expert_biases(layer.experts);
    }
    if (config_.norm_adds_one) add_one(weights.norm);
  }

 private:
  Status load_layer(int64_t layer, LayerWeights& weights) {
    const std::string at = fmt::format("{}{}.", names_.layer, layer);
    const LayerConfig& kind = config_.layers[static_cast<size_t>(layer)];
    const int64_t hidden = config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(load_branch_norms(at, weights));
    if (config_.has_output_norms) {
      KVASIR_RETURN_IF_ERROR(load_norm(joined(at, names_.attention_output_norm), hidden,
                                       weights.attention_output_norm));
      KVASIR_RETURN_IF_ERROR(
          load_norm(joined(at, names_.mlp_output_norm), hidden, weights.mlp_output_norm));
    }
    KVASIR_RETURN_IF_ERROR(config_.is_latent() ? load_latent(at, weights.attention)
                                               : load_heads(at, weights.attention));
    return kind.has_experts ? load_experts(at, weights.experts)
                            : load_mlp(at, kind.mlp_width, weights.mlp, weights.mlp_biases);
  }

  Status load_branch_norms(const std::string& at, LayerWeights& weights) {
    if (!config_.has_input_norms) return ok_status();
    const int64_t hidden = config_.hidden_size;
    if (config_.branches == Branches::kParallelOwn) {
      // A GGUF file has them the other way round: the first norm is the MLP's.
      const std::string attention = at + (config_.is_gguf ? "attn_norm_2" : "ln_attn");
      const std::string mlp = at + (config_.is_gguf ? "attn_norm" : "ln_mlp");
      KVASIR_RETURN_IF_ERROR(load_norm(attention, hidden, weights.attention_norm));
      return load_norm(mlp, hidden, weights.mlp_norm);
    }
    KVASIR_RETURN_IF_ERROR(
        load_norm(joined(at, names_.attention_norm), hidden, weights.attention_norm));
    if (config_.branches == Branches::kParallel) return ok_status();
    return load_norm(joined(at, names_.mlp_norm), hidden, weights.mlp_norm);
  }

  Status load_norm(std::string_view stem, int64_t size, NormWeights& norm) {
    KVASIR_RETURN_IF_ERROR(reader_.vector(joined(stem, ".weight"), {size}, norm.weight));
    if (config_.norm != ops::NormKind::kLayer) return ok_status();
    return reader_.vector(joined(stem, ".bias"), {size}, norm.bias);
  }

  // A norm of heads, which are never layer norms.
  Status load_head_norm(const std::string& stem, int64_t size, NormWeights& norm) {
    return reader_.vector(stem + ".weight", {size}, norm.weight);
  }

  Status load_matrix(const std::string& stem, int64_t rows, int64_t cols, WeightMatrix& out) {
    if (!names_.is_transposed) return reader_.matrix(stem, rows, cols, out);
    WeightMatrix stored;
    KVASIR_RETURN_IF_ERROR(reader_.plain_matrix(stem + ".weight", cols, rows, stored));
    return turned_.add(stored, 0, 1, out);
  }

  Status load_projection(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                         Projection& out) {
    KVASIR_RETURN_IF_ERROR(load_matrix(stem, rows, cols, out.parts.emplace_back()));
    return load_bias(stem, rows, has_bias, out.bias);
  }

  Status load_bias(const std::string& stem, int64_t rows, bool has_bias, std::vector<float>& bias) {
    const std::string name = stem + ".bias";
    const bool is_there = config_.is_gguf ? reader_.has(name) : has_bias;
    return is_there ? reader_.vector(name, {rows}, bias) : ok_status();
  }

  HeadRows head_rows() const {
    return {.query = config_.head_count * config_.head_dim,
            .key = config_.kv_head_count * config_.head_dim,
            .value = config_.kv_head_count * config_.value_dim};
  }

  Status load_heads(const std::string& at, AttentionWeights& weights) {
    const HeadRows rows = head_rows();
    const int64_t hidden = config_.hidden_size;
    const bool has_bias = config_.has_query_bias;
    if (names_.fused != FusedQkv::kSeparate) {
      KVASIR_RETURN_IF_ERROR(load_fused(joined(at, names_.qkv), weights));
    } else {
      KVASIR_RETURN_IF_ERROR(
          load_projection(joined(at, names_.query), rows.query, hidden, has_bias, weights.query));
      KVASIR_RETURN_IF_ERROR(
          load_projection(joined(at, names_.key), rows.key, hidden, has_bias, weights.key));
      KVASIR_RETURN_IF_ERROR(
          load_projection(joined(at, names_.value), rows.value, hidden, has_bias, weights.value));
    }
    KVASIR_RETURN_IF_ERROR(load_head_norms(at, weights));
    if (config_.has_sinks) {
      KVASIR_RETURN_IF_ERROR(
          reader_.vector(joined(at, names_.sinks), {config_.head_count}, weights.sinks));
    }
    return load_projection(joined(at, names_.output_projection), hidden,
                           config_.head_count * config_.value_dim, config_.has_output_bias,
                           weights.output);
  }

  Status load_head_norms(const std::string& at, AttentionWeights& weights) {
    if (config_.head_norm == HeadNorm::kNone) return ok_status();
    const bool is_whole = config_.head_norm == HeadNorm::kAllHeads;
    const HeadRows rows = head_rows();
    KVASIR_RETURN_IF_ERROR(load_head_norm(joined(at, names_.query_norm),
                                          is_whole ? rows.query : config_.head_dim,
                                          weights.query_norm));
    return load_head_norm(joined(at, names_.key_norm), is_whole ? rows.key : config_.head_dim,
                          weights.key_norm);
  }

  // One matrix, and one bias, of all three: cut into runs of rows.
  Status load_fused(const std::string& stem, AttentionWeights& weights) {
    const HeadRows rows = head_rows();
    WeightMatrix whole;
    KVASIR_RETURN_IF_ERROR(load_matrix(stem, rows.all(), config_.hidden_size, whole));
    // The queries keep the whole bias until it can be cut.
    KVASIR_RETURN_IF_ERROR(load_bias(stem, rows.all(), config_.has_query_bias, weights.query.bias));
    const int64_t groups = names_.fused == FusedQkv::kByGroup ? config_.kv_head_count : 1;
    int64_t row = 0;
    const auto take = [&](int64_t count, Projection& out) {
      out.parts.push_back(slice_rows(whole, row, count / groups));
      row += count / groups;
    };
    for (int64_t group = 0; group < groups; ++group) {
      take(rows.query, weights.query);
      take(rows.key, weights.key);
      take(rows.value, weights.value);
    }
    return ok_status();
  }

  Status load_latent(const std::string& at, AttentionWeights& weights) {
    const LatentConfig& latent = config_.latent;
    LatentWeights& out = weights.latent;
    const int64_t hidden = config_.hidden_size;
    const bool has_rank = latent.query_rank > 0;
    if (has_rank) {
      KVASIR_RETURN_IF_ERROR(load_projection(joined(at, names_.query_a), latent.query_rank, hidden,
                                             false, out.query_a));
      KVASIR_RETURN_IF_ERROR(
          load_head_norm(joined(at, names_.query_a_norm), latent.query_rank, out.query_norm));
    }
    KVASIR_RETURN_IF_ERROR(load_projection(
        joined(at, has_rank ? names_.query_b : names_.query), config_.head_count * config_.head_dim,
        has_rank ? latent.query_rank : hidden, false, out.query));
    KVASIR_RETURN_IF_ERROR(load_projection(joined(at, names_.latent_row),
                                           latent.rank + latent.rope_dim, hidden, false, out.row));
    KVASIR_RETURN_IF_ERROR(
        load_head_norm(joined(at, names_.latent_norm), latent.rank, out.row_norm));
    const bool is_split = reader_.has(joined(at, names_.key_stack) + ".weight");
    KVASIR_RETURN_IF_ERROR(is_split ? load_latent_stacks(at, out)
                                    : load_latent_heads(joined(at, names_.latent_heads), out));
    return load_projection(joined(at, names_.output_projection), hidden,
                           config_.head_count * latent.value_dim, false, weights.output);
  }

  Status load_latent_stacks(const std::string& at, LatentWeights& out) {
    const LatentConfig& latent = config_.latent;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack keys,
                            reader_.matrix_stack(joined(at, names_.key_stack), config_.head_count,
                                                 latent.rank, latent.plain_dim));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack values,
                            reader_.matrix_stack(joined(at, names_.value_stack), config_.head_count,
                                                 latent.value_dim, latent.rank));
    for (int64_t head = 0; head < config_.head_count; ++head) {
      out.key_up.push_back(keys.at(head));
      out.value_up.push_back(values.at(head));
    }
    return ok_status();
  }

  // Stored per head: rows that make its plain key, then rows that make its value. Keys are turned,
  // so that queries go to the latents instead of latents to keys.
  Status load_latent_heads(const std::string& stem, LatentWeights& out) {
    const LatentConfig& latent = config_.latent;
    const int64_t rows = latent.plain_dim + latent.value_dim;
    WeightMatrix whole;
    KVASIR_RETURN_IF_ERROR(
        reader_.plain_matrix(stem + ".weight", config_.head_count * rows, latent.rank, whole));
    for (int64_t head = 0; head < config_.head_count; ++head) {
      KVASIR_RETURN_IF_ERROR(turned_.add(slice_rows(whole, head * rows, latent.plain_dim), 0, 1,
                                         out.key_up.emplace_back()));
      out.value_up.push_back(slice_rows(whole, head * rows + latent.plain_dim, latent.value_dim));
    }
    return ok_status();
  }

  Status load_mlp(const std::string& at, int64_t width, ops::Mlp& mlp, MlpBiases& biases) {
    const int64_t hidden = config_.hidden_size;
    if (!names_.gate_up.empty()) {
      WeightMatrix both;
      KVASIR_RETURN_IF_ERROR(load_matrix(joined(at, names_.gate_up), 2 * width, hidden, both));
      mlp.gate = slice_rows(both, 0, width);
      mlp.up = slice_rows(both, width, width);
    } else {
      if (config_.is_gated) {
        KVASIR_RETURN_IF_ERROR(load_product(joined(at, names_.gate), width, hidden,
                                            config_.has_mlp_bias, mlp.gate, biases.gate));
      }
      KVASIR_RETURN_IF_ERROR(load_product(joined(at, names_.up), width, hidden,
                                          config_.has_mlp_bias, mlp.up, biases.up));
    }
    return load_product(joined(at, names_.down), hidden, width, config_.has_mlp_bias, mlp.down,
                        biases.down);
  }

  Status load_product(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                      WeightMatrix& matrix, std::vector<float>& bias) {
    KVASIR_RETURN_IF_ERROR(load_matrix(stem, rows, cols, matrix));
    return load_bias(stem, rows, has_bias, bias);
  }

  Status load_experts(const std::string& at, ExpertsWeights& weights) {
    const ExpertsConfig& experts = config_.experts;
    const std::string router = joined(at, reader_.has(joined(at, names_.router) + ".weight")
                                              ? names_.router
                                              : std::string_view("mlp.gate"));
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(router, experts.count, config_.hidden_size, weights.router));
    KVASIR_RETURN_IF_ERROR(
        load_bias(router, experts.count, experts.has_router_bias, weights.router_bias));
    if (experts.has_choice_bias) {
      KVASIR_RETURN_IF_ERROR(
          reader_.vector(joined(at, names_.choice_bias), {experts.count}, weights.choice_bias));
    }
    if (experts.shared_width > 0) KVASIR_RETURN_IF_ERROR(load_shared(at, weights));
    if (!names_.gate_stack.empty()) return load_expert_stacks(at, weights);
    const std::string fused = at + "mlp.experts.gate_up_proj";
    if (experts.has_biases) return load_interleaved_experts(at + "mlp.experts.", weights);
    if (reader_.has(fused)) {
      return load_fused_experts(at + "mlp.experts.", weights);
    }
    for (int64_t expert = 0; expert < experts.count; ++expert) {
      const std::string stem = fmt::format("{}{}{}.", at, names_.experts, expert);
      ops::Mlp& mlp = weights.experts.emplace_back();
      KVASIR_RETURN_IF_ERROR(reader_.matrix(joined(stem, names_.expert_gate), experts.width,
                                            config_.hidden_size, mlp.gate));
      KVASIR_RETURN_IF_ERROR(reader_.matrix(joined(stem, names_.expert_up), experts.width,
                                            config_.hidden_size, mlp.up));
      KVASIR_RETURN_IF_ERROR(reader_.matrix(joined(stem, names_.expert_down), config_.hidden_size,
                                            experts.width, mlp.down));
    }
    return ok_status();
  }

  Status load_shared(const std::string& at, ExpertsWeights& weights) {
    const int64_t width = config_.experts.shared_width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(joined(at, names_.shared_gate), width, hidden, weights.shared.gate));
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(joined(at, names_.shared_up), width, hidden, weights.shared.up));
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(joined(at, names_.shared_down), hidden, width, weights.shared.down));
    if (!config_.experts.has_shared_gate) return ok_status();
    return reader_.matrix(joined(at, names_.shared_weight), 1, hidden, weights.shared_gate);
  }

  // A tensor each of all gates, ups and downs.
  Status load_expert_stacks(const std::string& at, ExpertsWeights& weights) {
    const int64_t count = config_.experts.count;
    const int64_t width = config_.experts.width;
    const int64_t hidden = config_.hidden_size;
    const std::string gate = joined(at, names_.gate_stack);
    const std::string up = joined(at, names_.up_stack);
    const std::string down = joined(at, names_.down_stack);
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack gates,
                            reader_.matrix_stack(gate, count, width, hidden));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack ups, reader_.matrix_stack(up, count, width, hidden));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack downs,
                            reader_.matrix_stack(down, count, hidden, width));
    for (int64_t expert = 0; expert < count; ++expert) {
      weights.experts.push_back(
          {.gate = gates.at(expert), .up = ups.at(expert), .down = downs.at(expert)});
    }
    if (!config_.experts.has_biases) return ok_status();
    KVASIR_RETURN_IF_ERROR(reader_.vector(gate + ".bias", {count, width}, weights.gate_biases));
    KVASIR_RETURN_IF_ERROR(reader_.vector(up + ".bias", {count, width}, weights.up_biases));
    return reader_.vector(down + ".bias", {count, hidden}, weights.down_biases);
  }

  // [E, 2F, D] with gate rows first, and [E, D, F].
  Status load_fused_experts(const std::string& at, ExpertsWeights& weights) {
    const int64_t width = config_.experts.width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_ASSIGN_OR_RETURN(
        const MatrixStack gate_up,
        reader_.plain_stack(at + "gate_up_proj", config_.experts.count, 2 * width, hidden));
    KVASIR_ASSIGN_OR_RETURN(
        const MatrixStack down,
        reader_.plain_stack(at + "down_proj", config_.experts.count, hidden, width));
    for (int64_t expert = 0; expert < config_.experts.count; ++expert) {
      weights.experts.push_back({.gate = slice_rows(gate_up.at(expert), 0, width),
                                 .up = slice_rows(gate_up.at(expert), width, width),
                                 .down = down.at(expert)});
    }
    return ok_status();
  }

  // [E, D, 2F] whose columns are gate and up in turn, and [E, F, D], with biases.
  Status load_interleaved_experts(const std::string& at, ExpertsWeights& weights) {
    const int64_t count = config_.experts.count;
    const int64_t width = config_.experts.width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack gate_up,
                            reader_.plain_stack(at + "gate_up_proj", count, hidden, 2 * width));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack down,
                            reader_.plain_stack(at + "down_proj", count, width, hidden));
    KVASIR_RETURN_IF_ERROR(
        reader_.vector(at + "gate_up_proj_bias", {count, 2 * width}, weights.gate_biases));
    KVASIR_RETURN_IF_ERROR(
        reader_.vector(at + "down_proj_bias", {count, hidden}, weights.down_biases));
    for (int64_t expert = 0; expert < count; ++expert) {
      ops::Mlp& mlp = weights.experts.emplace_back();
      KVASIR_RETURN_IF_ERROR(turned_.add(gate_up.at(expert), 0, 2, mlp.gate));
      KVASIR_RETURN_IF_ERROR(turned_.add(gate_up.at(expert), 1, 2, mlp.up));
      KVASIR_RETURN_IF_ERROR(turned_.add(down.at(expert), 0, 1, mlp.down));
    }
    return ok_status();
  }

  static void add_one(NormWeights& norm) {
    for (float& value : norm.weight) value += 1;
  }

  static void add_one(LayerWeights& layer) {
    for (NormWeights* norm :
         {&layer.attention_norm, &layer.mlp_norm, &layer.attention_output_norm,
          &layer.mlp_output_norm, &layer.attention.query_norm, &layer.attention.key_norm}) {
      add_one(*norm);
    }
  }

  void bind_biases(LayerWeights& layer) const {
    const auto of = [](const std::vector<float>& bias) {
      return bias.empty() ? nullptr : bias.data();
    };
    layer.mlp.gate_bias = of(layer.mlp_biases.gate);
    layer.mlp.up_bias = of(layer.mlp_biases.up);
    layer.mlp.down_bias = of(layer.mlp_biases.down);
    const bool is_fused = names_.fused != FusedQkv::kSeparate;
    if (is_fused && !layer.attention.query.bias.empty()) split_fused_bias(layer.attention);
  }

  // The bias of a fused projection, in the order of its rows, -> one bias each.
  void split_fused_bias(AttentionWeights& attention) const {
    const std::vector<float> whole = std::move(attention.query.bias);
    attention.query.bias.clear();
    auto from = whole.begin();
    for (size_t part = 0; part < attention.query.parts.size(); ++part) {
      for (Projection* one : {&attention.query, &attention.key, &attention.value}) {
        const auto end = from + one->parts[part].rows;
        one->bias.insert(one->bias.end(), from, end);
        from = end;
      }
    }
  }

  // Where they came together, gate_biases holds gate and up in turn.
  void split_expert_biases(ExpertsWeights& experts) const {
    if (experts.gate_biases.empty()) return;
    if (experts.up_biases.empty()) {
      const std::vector<float> both = std::move(experts.gate_biases);
      experts.gate_biases.clear();
      for (size_t i = 0; i < both.size(); i += 2) {
        experts.gate_biases.push_back(both[i]);
        experts.up_biases.push_back(both[i + 1]);
      }
    }
    const int64_t width = config_.experts.width;
    for (int64_t expert = 0; expert < config_.experts.count; ++expert) {
      ops::Mlp& mlp = experts.experts[static_cast<size_t>(expert)];
      mlp.gate_bias = experts.gate_biases.data() + expert * width;
      mlp.up_bias = experts.up_biases.data() + expert * width;
      mlp.down_bias = experts.down_biases.data() + expert * config_.hidden_size;
    }
  }

  const Config& config_;
  TensorReader& reader_;
  TurnedMatrices& turned_;
  const TensorNames names_;
};

}  // namespace

Status load_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned) {
  WeightLoader loader(config, reader, turned);
  KVASIR_RETURN_IF_ERROR(loader.load(weights));
  KVASIR_RETURN_IF_ERROR(reader.finish());
  turned.run();
  loader.finish(weights);
  return ok_status();
}

}  // namespace kvasir::model::decoder
