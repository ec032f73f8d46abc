#include "model/deepseek_v4/experts.h"

#include <cmath>
#include <utility>

#include "base/check.h"
#include "numeric/elementary.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using ops::view_of;

void score_experts(float* products, int64_t expert_count) {
  for (int64_t e = 0; e < expert_count; ++e)
    products[e] = std::sqrt(numeric::softplus(products[e]));
}

// The first layers' experts hang on the token's id alone.
void look_up_experts(Pass& pass, const HashTable& table, const ops::View<int32_t>& ids) {
  KVASIR_CHECK(table.experts_per_token == ids.cols, "a table of as many experts for each token");
  pass.ops.for_each_token(ids.rows, [&](int64_t t, int) {
    for (int64_t i = 0; i < ids.cols; ++i) {
      ids.row(t)[i] = table.expert(pass.batch.tokens.token(t).id, i);
    }
  });
}

ops::ExpertGroups groups_of(Pass& pass) {
  const auto slots = static_cast<size_t>(pass.token_count() * pass.config.experts_per_token);
  KVASIR_CHECK(std::cmp_less_equal(slots, pass.work.grouped_slots.size()) &&
                   std::cmp_less_equal(slots, pass.work.slot_rows.size()),
               "the buffers were sized for as many slots");
  KVASIR_CHECK(pass.work.expert_starts.size() == pass.config.expert_count + 1,
               "a start for each expert, and the end");
  return {.expert_count = pass.config.expert_count,
          .picks_per_token = pass.config.experts_per_token,
          .slots = {pass.work.grouped_slots.data(), slots},
          .places = {pass.work.slot_rows.data(), slots},
          .starts = {pass.work.expert_starts.data(),
                     static_cast<size_t>(pass.config.expert_count + 1)}};
}

}  // namespace

void run_experts(Pass& pass, const MoeWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  ops::Ops& ops = pass.ops;
  const int64_t n = pass.token_count();
  const int64_t slots = n * config.experts_per_token;
  const int64_t shared_width = weights.shared.gate.rows;
  const bool is_hashed = weights.hash_table.data != nullptr;
  KVASIR_CHECK(is_hashed || std::ssize(weights.router_bias) == config.expert_count,
               "a bias for each expert that is scored");
  const auto input = view_of(work.input, n, config.hidden_size);
  const auto output = view_of(work.output, n, config.hidden_size);
  const auto scores = view_of(work.router, n, config.expert_count);
  const auto ids = view_of(work.expert_ids, n, config.experts_per_token);
  const auto pick_weights = view_of(work.expert_scores, n, config.experts_per_token);
  const auto routed = view_of(work.expert_output, slots, config.hidden_size);
  const ops::ExpertGroups groups = groups_of(pass);

  ops.matmul(weights.router, input, scores);
  if (is_hashed) look_up_experts(pass, weights.hash_table, ids);
  ops.route({.scores = scores,
             .score_of = score_experts,
             .are_chosen = is_hashed,
             .bias = is_hashed ? nullptr : weights.router_bias.data(),
             .normalises = config.norm_topk_prob,
             .scale = config.routed_scale,
             .ids = ids,
             .weights = pick_weights});
  ops.group_by_expert(ids, groups);
  ops.read_experts(weights.experts, groups);
  ops.mlp({.mlp = weights.shared,
           .limit = config.swiglu_limit,
           .x = input,
           .gate = view_of(work.shared_gate, n, shared_width),
           .up = view_of(work.shared_up, n, shared_width),
           .y = output});
  ops.run_experts({.experts = weights.experts,
                   .groups = groups,
                   .limit = config.swiglu_limit,
                   .x = input,
                   .weights = pick_weights,
                   .input = view_of(work.expert_input, slots, config.hidden_size),
                   .gate = view_of(work.expert_gate, slots, config.expert_width),
                   .up = view_of(work.expert_up, slots, config.expert_width),
                   .output = routed});
  ops.add_routed(groups, routed, output);
}

}  // namespace kvasir::model::deepseek_v4
