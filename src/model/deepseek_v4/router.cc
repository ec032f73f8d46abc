#include "model/deepseek_v4/router.h"

#include <algorithm>
#include <cmath>

namespace kvasir::model::deepseek_v4 {
namespace {

// sqrt(softplus(x)); beyond 20 softplus(x) and x agree to float32.
float routing_score(float x) { return std::sqrt(x > 20.0f ? x : std::log1p(std::exp(x))); }

// The e highest scores + bias, ties to the lower expert.
void choose_by_score(const float* scores, const std::vector<float>& bias, int64_t expert_count,
                     int64_t pick_count, int32_t* picks) {
  for (int64_t pick = 0; pick < pick_count; ++pick) {
    int32_t best = -1;
    float best_value = 0;
    for (int32_t expert = 0; expert < expert_count; ++expert) {
      if (std::find(picks, picks + pick, expert) != picks + pick) continue;
      const float value = scores[expert] + bias[static_cast<size_t>(expert)];
      if (best < 0 || value > best_value) {
        best = expert;
        best_value = value;
      }
    }
    picks[pick] = best;
  }
}

void route_token(Pass& pass, const MoeWeights& weights, int64_t token) {
  const Config& config = pass.config;
  const int64_t picks = config.experts_per_token;
  float* scores = &pass.work.router[token * config.expert_count];
  int32_t* ids = &pass.work.expert_ids[token * picks];
  float* pick_scores = &pass.work.expert_scores[token * picks];

  for (int64_t e = 0; e < config.expert_count; ++e) scores[e] = routing_score(scores[e]);
  if (weights.hash_table.data != nullptr) {
    for (int64_t i = 0; i < picks; ++i) {
      ids[i] = weights.hash_table.expert(pass.batch.token(token).id, i);
    }
  } else {
    choose_by_score(scores, weights.router_bias, config.expert_count, picks, ids);
  }
  float sum = 0;
  for (int64_t i = 0; i < picks; ++i) {
    pick_scores[i] = scores[ids[i]];
    sum += pick_scores[i];
  }
  const float divisor = config.norm_topk_prob ? sum : 1.0f;
  for (int64_t i = 0; i < picks; ++i) {
    pick_scores[i] = pick_scores[i] / divisor * config.routed_scale;
  }
}

// Counting sort of the slots by expert; within an expert tokens keep their order.
void group_by_expert(Pass& pass) {
  Workspace& work = pass.work;
  const int64_t experts = pass.config.expert_count;
  const int64_t slots = pass.batch.token_count() * pass.config.experts_per_token;
  int64_t* starts = work.expert_starts.data();
  std::fill(starts, starts + experts + 1, 0);
  for (int64_t slot = 0; slot < slots; ++slot) ++starts[work.expert_ids[slot] + 1];
  for (int64_t e = 0; e < experts; ++e) starts[e + 1] += starts[e];
  for (int64_t slot = 0; slot < slots; ++slot) {
    const int64_t place = starts[work.expert_ids[slot]]++;
    work.grouped_slots[place] = static_cast<int32_t>(slot);
    work.slot_rows[slot] = static_cast<int32_t>(place);
  }
  // Placing moved every start to its expert's end, which is the next one's start.
  std::copy_backward(starts, starts + experts, starts + experts + 1);
  starts[0] = 0;
}

}  // namespace

void route(Pass& pass, const MoeWeights& weights) {
  const int64_t n = pass.batch.token_count();
  pass.compute.matmul(weights.router, pass.work.input.data(), n, pass.work.router.data());
  pass.compute.for_each_token(n, [&](int64_t t, int) { route_token(pass, weights, t); });
  group_by_expert(pass);
}

}  // namespace kvasir::model::deepseek_v4
