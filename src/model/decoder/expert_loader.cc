#include "model/decoder/expert_loader.h"

#include <fmt/format.h>

#include <utility>

namespace kvasir::model::decoder {
namespace {

using kernels::WeightMatrix;

class ExpertLoader : private RoleLoader {
 public:
  explicit ExpertLoader(RoleTensors& tensors) : RoleLoader(tensors) {}

  Status load(const std::string& at, ExpertsWeights& weights) {
    const ExpertsConfig& experts = config_.experts;
    const std::string router = joined(at, reader_.has(joined(at, names_.router) + ".weight")
                                              ? names_.router
                                              : std::string_view("mlp.gate"));
    KVASIR_RETURN_IF_ERROR(
        reader_.matrix(router, experts.count, config_.hidden_size, weights.router));
    KVASIR_RETURN_IF_ERROR(
        tensors_.bias(router, experts.count, experts.has_router_bias, weights.router_bias));
    if (experts.has_choice_bias) {
      KVASIR_RETURN_IF_ERROR(
          reader_.vector(joined(at, names_.choice_bias), {experts.count}, weights.choice_bias));
    }
    if (experts.shared_width > 0) KVASIR_RETURN_IF_ERROR(load_shared(at, weights));
    if (!names_.gate_stack.empty()) return load_expert_stacks(at, weights);
    const std::string fused = at + "mlp.experts.gate_up_proj";
    if (experts.has_biases) {
      return reader_.has(fused + "_blocks")
                 ? load_fp4_experts(at + "mlp.experts.", weights)
                 : load_interleaved_experts(at + "mlp.experts.", weights);
    }
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

 private:
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
    KVASIR_RETURN_IF_ERROR(load_interleaved_biases(at, weights));
    for (int64_t expert = 0; expert < count; ++expert) {
      ops::Mlp& mlp = weights.experts.emplace_back();
      KVASIR_RETURN_IF_ERROR(turned_.add(gate_up.at(expert), 0, 2, mlp.gate));
      KVASIR_RETURN_IF_ERROR(turned_.add(gate_up.at(expert), 1, 2, mlp.up));
      KVASIR_RETURN_IF_ERROR(turned_.add(down.at(expert), 0, 1, mlp.down));
    }
    return ok_status();
  }

  Status load_interleaved_biases(const std::string& at, ExpertsWeights& weights) {
    const int64_t count = config_.experts.count;
    KVASIR_RETURN_IF_ERROR(reader_.vector(at + "gate_up_proj_bias",
                                          {count, 2 * config_.experts.width}, weights.gate_biases));
    return reader_.vector(at + "down_proj_bias", {count, config_.hidden_size}, weights.down_biases);
  }

  // Rows of gate and up in turn, and of down, in FP4: multiplied where they lie.
  Status load_fp4_experts(const std::string& at, ExpertsWeights& weights) {
    const int64_t count = config_.experts.count;
    const int64_t width = config_.experts.width;
    const int64_t hidden = config_.hidden_size;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack gate_up, reader_.fp4_stack(at + "gate_up_proj_blocks",
                                                                         at + "gate_up_proj_scales",
                                                                         count, 2 * width, hidden));
    KVASIR_ASSIGN_OR_RETURN(
        const MatrixStack down,
        reader_.fp4_stack(at + "down_proj_blocks", at + "down_proj_scales", count, hidden, width));
    KVASIR_RETURN_IF_ERROR(load_interleaved_biases(at, weights));
    for (int64_t expert = 0; expert < count; ++expert) {
      weights.experts.push_back({.gate = every_second_row(gate_up.at(expert), 0),
                                 .up = every_second_row(gate_up.at(expert), 1),
                                 .down = down.at(expert)});
    }
    return ok_status();
  }
};

// Where they came together, gate_biases holds gate and up in turn.
void split_biases(const Config& config, ExpertsWeights& experts) {
  if (experts.gate_biases.empty()) return;
  if (experts.up_biases.empty()) {
    const std::vector<float> both = std::move(experts.gate_biases);
    experts.gate_biases = {};
    experts.gate_biases.reserve(both.size() / 2);
    experts.up_biases.reserve(both.size() / 2);
    for (size_t i = 0; i < both.size(); i += 2) {
      experts.gate_biases.push_back(both[i]);
      experts.up_biases.push_back(both[i + 1]);
    }
  }
  const int64_t width = config.experts.width;
  for (int64_t expert = 0; expert < config.experts.count; ++expert) {
    ops::Mlp& mlp = experts.experts[static_cast<size_t>(expert)];
    mlp.gate_bias = experts.gate_biases.data() + expert * width;
    mlp.up_bias = experts.up_biases.data() + expert * width;
    mlp.down_bias = experts.down_biases.data() + expert * config.hidden_size;
  }
}

}  // namespace

Status load_experts(RoleTensors& tensors, const std::string& at, ExpertsWeights& weights) {
  return ExpertLoader(tensors).load(at, weights);
}

void finish_experts(const RoleTensors& tensors, ExpertsWeights& weights) {
  split_biases(tensors.config(), weights);
}

}  // namespace kvasir::model::decoder
