#include <cmath>

#include "base/check.h"
#include "model/decoder/pass.h"
#include "numeric/elementary.h"

namespace kvasir::model::decoder {
namespace {

using ops::View;
using ops::view_of;

void sigmoid_scores(float* products, int64_t expert_count) {
  for (int64_t e = 0; e < expert_count; ++e) products[e] = numeric::sigmoid(products[e]);
}

ops::ScoreExperts score_function(RouterScore score) {
  switch (score) {
    case RouterScore::kSoftmax:
      return ops::soften;
    case RouterScore::kSoftmaxOfChosen:
      return nullptr;
    case RouterScore::kSigmoid:
      return sigmoid_scores;
  }
  KVASIR_CHECK(false, "no such score");
}

float limit_of(const Config& config) {
  return config.activation_limit > 0 ? static_cast<float>(config.activation_limit) : INFINITY;
}

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

ops::ExpertGroups groups_of(Pass& pass) {
  const ExpertsConfig& experts = pass.config.experts;
  const auto slots = static_cast<size_t>(pass.token_count() * experts.per_token);
  return {.expert_count = experts.count,
          .picks_per_token = experts.per_token,
          .slots = {pass.work.grouped_slots.data(), slots},
          .places = {pass.work.slot_places.data(), slots},
          .starts = {pass.work.expert_starts.data(), static_cast<size_t>(experts.count + 1)}};
}

// The expert that every token goes to -> output; zeros where there is none.
void run_shared(Pass& pass, const ExpertsWeights& weights, View<const float> input,
                View<float> output) {
  if (pass.config.experts.shared_width == 0) {
    pass.ops.clear(output);
    return;
  }
  run_mlp(pass, weights.shared, input, output);
  if (weights.shared_gate.rows == 0) return;
  const auto gate = pass.view(pass.work.shared_weight, 1);
  pass.ops.matmul(weights.shared_gate, input, gate);
  pass.ops.for_each_token(gate.rows, [&](int64_t t, int) {
    const float weight = numeric::sigmoid(*gate.row(t));
    for (int64_t i = 0; i < output.cols; ++i) output.row(t)[i] *= weight;
  });
}

}  // namespace

void run_mlp(Pass& pass, const ops::Mlp& mlp, View<const float> input, View<float> output) {
  const int64_t width = mlp.up.rows;
  pass.ops.mlp({.mlp = mlp,
                .activation = pass.config.activation,
                .limit = limit_of(pass.config),
                .x = input,
                .gate = mlp.is_gated() ? pass.view(pass.work.gate, width) : View<float>{},
                .up = pass.view(pass.work.up, width),
                .y = output});
}

void run_experts(Pass& pass, const ExpertsWeights& weights, View<const float> input,
                 View<float> output) {
  const ExpertsConfig& experts = pass.config.experts;
  Workspace& work = pass.work;
  const int64_t n = pass.token_count();
  const int64_t slots = n * experts.per_token;
  const auto scores = pass.view(work.router, experts.count);
  const auto ids = view_of(work.expert_ids, n, experts.per_token);
  const auto pick_weights = pass.view(work.expert_weights, experts.per_token);
  const auto routed = view_of(work.expert_output, slots, pass.config.hidden_size);
  const ops::ExpertGroups groups = groups_of(pass);

  pass.ops.matmul(weights.router, input, scores);
  if (!weights.router_bias.empty()) pass.ops.add_bias(scores, weights.router_bias.data());
  pass.ops.route({.scores = scores,
                  .score_of = score_function(experts.score),
                  .bias = or_null(weights.choice_bias),
                  .groups = experts.groups,
                  .softens_chosen = experts.score == RouterScore::kSoftmaxOfChosen,
                  .normalises = experts.normalises,
                  .scale = static_cast<float>(experts.scale),
                  .ids = ids,
                  .weights = pick_weights});
  pass.ops.group_by_expert(ids, groups);
  pass.ops.read_experts(weights.experts, groups);
  run_shared(pass, weights, input, output);
  pass.ops.run_experts({.experts = weights.experts,
                        .groups = groups,
                        .activation = pass.config.activation,
                        .limit = limit_of(pass.config),
                        .x = input,
                        .weights = pick_weights,
                        .input = view_of(work.expert_input, slots, pass.config.hidden_size),
                        .gate = view_of(work.expert_gate, slots, experts.width),
                        .up = view_of(work.expert_up, slots, experts.width),
                        .output = routed});
  pass.ops.add_routed(groups, routed, output);
}

}  // namespace kvasir::model::decoder
