#include "model/decoder/weight_loader.h"

#include <fmt/format.h>

#include <string>

#include "model/decoder/attention_loader.h"
#include "model/decoder/expert_loader.h"
#include "model/decoder/role_tensors.h"

namespace kvasir::model::decoder {
namespace {

using kernels::WeightMatrix;

// `at` is the name so far: "layers.3.".
class WeightLoader : private RoleLoader {
 public:
  explicit WeightLoader(RoleTensors& tensors) : RoleLoader(tensors) {}

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
    KVASIR_RETURN_IF_ERROR(tensors_.norm(names_.norm, hidden, weights.norm));
    KVASIR_RETURN_IF_ERROR(load_rope_divisors(weights));
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
      finish_attention(tensors_, layer.attention);
      finish_experts(tensors_, layer.experts);
    }
    if (config_.norm_adds_one) add_one(weights.norm);
  }

 private:
  Status load_rope_divisors(Weights& weights) {
    if (config_.ropes.empty()) return ok_status();
    const auto pairs = std::ssize(config_.ropes.front().frequencies);
    const bool is_long = config_.takes_long_divisors;
    const std::string other(is_long ? names_.short_divisors : names_.long_divisors);
    if (reader_.has(other)) {
      std::string name(is_long ? names_.long_divisors : names_.short_divisors);
      KVASIR_RETURN_IF_ERROR(reader_.vector(name, {pairs}, weights.rope_divisors));
      KVASIR_ASSIGN_OR_RETURN(const StoredTensor* unused, reader_.tensor(other, {pairs}));
      static_cast<void>(unused);
      return ok_status();
    }
    const std::string name(names_.rope_divisors);
    return reader_.has(name) ? reader_.vector(name, {pairs}, weights.rope_divisors) : ok_status();
  }

  Status load_layer(int64_t layer, LayerWeights& weights) {
    const std::string at = fmt::format("{}{}.", names_.layer, layer);
    const LayerConfig& kind = config_.layers[static_cast<size_t>(layer)];
    const int64_t hidden = config_.hidden_size;
    KVASIR_RETURN_IF_ERROR(load_branch_norms(at, weights));
    if (config_.has_output_norms) {
      KVASIR_RETURN_IF_ERROR(tensors_.norm(joined(at, names_.attention_output_norm), hidden,
                                           weights.attention_output_norm));
      KVASIR_RETURN_IF_ERROR(
          tensors_.norm(joined(at, names_.mlp_output_norm), hidden, weights.mlp_output_norm));
    }
    KVASIR_RETURN_IF_ERROR(load_attention(tensors_, at, weights.attention));
    if (kind.has_indexer) {
      KVASIR_RETURN_IF_ERROR(load_indexer(tensors_, at, weights.attention.indexer));
    }
    return kind.has_experts ? load_experts(tensors_, at, weights.experts)
                            : load_mlp(at, kind.mlp_width, weights.mlp, weights.mlp_biases);
  }

  Status load_branch_norms(const std::string& at, LayerWeights& weights) {
    if (!config_.has_input_norms) return ok_status();
    const int64_t hidden = config_.hidden_size;
    if (config_.branches == Branches::kParallelOwn) {
      // A GGUF file has them the other way round: the first norm is the MLP's.
      const std::string attention = at + (config_.is_gguf ? "attn_norm_2" : "ln_attn");
      const std::string mlp = at + (config_.is_gguf ? "attn_norm" : "ln_mlp");
      KVASIR_RETURN_IF_ERROR(tensors_.norm(attention, hidden, weights.attention_norm));
      return tensors_.norm(mlp, hidden, weights.mlp_norm);
    }
    KVASIR_RETURN_IF_ERROR(
        tensors_.norm(joined(at, names_.attention_norm), hidden, weights.attention_norm));
    if (config_.branches == Branches::kParallel) return ok_status();
    return tensors_.norm(joined(at, names_.mlp_norm), hidden, weights.mlp_norm);
  }

  Status load_mlp(const std::string& at, int64_t width, ops::Mlp& mlp, MlpBiases& biases) {
    const int64_t hidden = config_.hidden_size;
    if (!names_.gate_up.empty()) {
      WeightMatrix both;
      KVASIR_RETURN_IF_ERROR(tensors_.matrix(joined(at, names_.gate_up), 2 * width, hidden, both));
      mlp.gate = slice_rows(both, 0, width);
      mlp.up = slice_rows(both, width, width);
    } else {
      if (config_.is_gated) {
        KVASIR_RETURN_IF_ERROR(tensors_.product(joined(at, names_.gate), width, hidden,
                                                config_.has_mlp_bias, mlp.gate, biases.gate));
      }
      KVASIR_RETURN_IF_ERROR(tensors_.product(joined(at, names_.up), width, hidden,
                                              config_.has_mlp_bias, mlp.up, biases.up));
    }
    return tensors_.product(joined(at, names_.down), hidden, width, config_.has_mlp_bias, mlp.down,
                            biases.down);
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

  static void bind_biases(LayerWeights& layer) {
    const auto of = [](const std::vector<float>& bias) {
      return bias.empty() ? nullptr : bias.data();
    };
    layer.mlp.gate_bias = of(layer.mlp_biases.gate);
    layer.mlp.up_bias = of(layer.mlp_biases.up);
    layer.mlp.down_bias = of(layer.mlp_biases.down);
  }
};

}  // namespace

Status find_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned) {
  RoleTensors tensors(config, reader, turned);
  KVASIR_RETURN_IF_ERROR(WeightLoader(tensors).load(weights));
  return reader.check_all_taken();
}

Status read_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned) {
  KVASIR_RETURN_IF_ERROR(reader.finish());
  turned.run();
  RoleTensors tensors(config, reader, turned);
  WeightLoader(tensors).finish(weights);
  return ok_status();
}

}  // namespace kvasir::model::decoder
