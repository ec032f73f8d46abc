// These structs are the arguments of the steps of a gated layer, plain or of experts (ops.h). They
// own nothing. n: tokens of the batch, e: experts that a token goes to. A slot is one of a token's
// picks: token * e + pick.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernels.h"
#include "kernels/weight_matrix.h"
#include "ops/view.h"

namespace kvasir::ops {

// An Mlp computes y = down (f(gate x) * (up x)), or, plain and without a gate, y = down f(up x). A
// bias that is not null is added to each product.
struct Mlp {
  kernels::WeightMatrix gate;        // [F, D]; no rows: a plain one
  kernels::WeightMatrix up;          // [F, D]
  kernels::WeightMatrix down;        // [D, F]
  const float* gate_bias = nullptr;  // [F]
  const float* up_bias = nullptr;    // [F]
  const float* down_bias = nullptr;  // [D]

  bool is_gated() const { return gate.rows > 0; }
};

// An MlpStep runs one Mlp over all tokens.
struct MlpStep {
  const Mlp& mlp;
  kernels::Activation activation = kernels::Activation::kSilu;
  float limit = 0;      // of gate and up (kernels.h, ActivateArgs)
  View<const float> x;  // [n, D]
  View<float> gate;     // [n, F]; not touched by a plain one
  View<float> up;       // [n, F]
  View<float> y;        // [n, D]
};

// Turns a token's products with the router into scores, in place. [experts]
using ScoreExperts = void (*)(float* products, int64_t expert_count);
// One of them: their softmax.
void soften(float* values, int64_t count);

// GroupScore says what a group of experts counts, of which only the best groups' are chosen from.
enum class GroupScore : uint8_t {
  kNone,        // there are no groups
  kLargest,     // the score of its best expert
  kBestTwoSum,  // the sum of its two best
};

inline constexpr int64_t kGroupsMax = 256;

// Groups of experts that lie back to back.
struct GroupLimit {
  GroupScore score = GroupScore::kNone;
  int64_t group_count = 1;
  int64_t groups_used = 1;
};

// A RouteStep chooses each token's experts and their weights.
struct RouteStep {
  View<float> scores;               // [n, experts]: products, then scores
  ScoreExperts score_of = nullptr;  // null: products are scores
  bool are_chosen = false;          // the experts, in ids
  const float* bias = nullptr;  // [experts] added to the scores for the choice alone; null: none
  GroupLimit groups;
  bool softens_chosen = false;  // a token's weights are the softmax of its scores
  bool normalises = false;      // a token's weights are divided by their sum
  float scale = 1;              // of the weights
  View<int32_t> ids;            // [n, e]
  View<float> weights;          // [n, e]
};

// ExpertGroups are all slots ordered by expert; within an expert tokens keep their order.
//
// For example, take two tokens of two picks each, ids {{1, 0}, {1, 2}}, and three experts: slots
// are {1, 0, 2, 3}, starts {0, 1, 3, 4}, and places {1, 0, 2, 3}.
struct ExpertGroups {
  int64_t expert_count = 0;
  int64_t picks_per_token = 0;
  std::span<int32_t> slots;   // [n * e]
  std::span<int32_t> places;  // [n * e] a slot's place in that order
  std::span<int64_t> starts;  // [experts + 1] into slots

  int64_t begin(int64_t expert) const { return starts[static_cast<size_t>(expert)]; }
  int64_t end(int64_t expert) const { return starts[static_cast<size_t>(expert) + 1]; }
};

// An ExpertsStep runs every expert over its tokens. All buffers have a row per place in the groups'
// order.
struct ExpertsStep {
  std::span<const Mlp> experts;
  const ExpertGroups& groups;
  kernels::Activation activation = kernels::Activation::kSilu;
  float limit = 0;
  View<const float> x;        // [n, D]
  View<const float> weights;  // [n, e], packed; the gated product is multiplied by them
  View<float> input;          // [n * e, D]
  View<float> gate;           // [n * e, F]; not touched by plain ones
  View<float> up;             // [n * e, F]
  View<float> output;         // [n * e, D]
};

}  // namespace kvasir::ops
