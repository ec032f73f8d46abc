// Products, routes and experts.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "ops/test_support.h"

namespace kvasir::ops {
namespace {

constexpr float kNoLimit = std::numeric_limits<float>::infinity();

kernels::WeightMatrix matrix_of(const std::vector<float>& values, int64_t rows, int64_t cols) {
  return {.format = kernels::WeightFormat::kF32,
          .rows = rows,
          .cols = cols,
          .data = reinterpret_cast<const std::byte*>(values.data())};
}

TEST(OpsMatmul, GroupsTakeTheirOwnColumns) {
  TestCache random;
  const std::vector<float> a = random.normals(5 * 7);
  const std::vector<float> b = random.normals(3 * 6);
  const std::vector<float> x = random.normals(4 * 13);
  const std::vector<kernels::WeightMatrix> weights = {matrix_of(a, 5, 7), matrix_of(b, 3, 6)};
  Ops ops = make_ops(2);
  std::vector<float> y(4 * 8);
  ops.matmul_groups(weights, view_of(x.data(), 4, 13), view_of(y.data(), 4, 8));
  for (size_t t = 0; t < 4; ++t) {
    std::vector<float> alone(5);
    ops.matmul(weights[0], view_of(&x[t * 13], 1, 7), view_of(alone.data(), 1, 5));
    EXPECT_EQ(alone, std::vector<float>(&y[t * 8], &y[t * 8 + 5])) << t;
  }
  EXPECT_DEATH(
      ops.matmul_groups({weights.data(), 1}, view_of(x.data(), 4, 13), view_of(y.data(), 4, 8)),
      "share all columns out");
}

TEST(OpsMatmul, RowsThatLieApartGetTheSameProducts) {
  constexpr int64_t kRows = 150;
  constexpr int64_t kCols = 40;
  TestCache random;
  const std::vector<float> values = random.normals(kRows * kCols);
  const kernels::WeightMatrix weight = matrix_of(values, kRows, kCols);
  Ops ops = make_ops(2);
  for (const int64_t count : {int64_t{1}, int64_t{8}, Ops::kRowsApartMax}) {
    const std::vector<float> x = random.normals(count * kCols);
    std::vector<float> together(static_cast<size_t>(count * kRows));
    ops.matmul(weight, view_of(x.data(), count, kCols), view_of(together.data(), count, kRows));
    std::vector<std::vector<float>> apart(static_cast<size_t>(count), std::vector<float>(kRows));
    std::vector<float*> begins;
    for (std::vector<float>& row : apart) begins.push_back(row.data());
    ops.matmul_apart(weight, view_of(x.data(), count, kCols), begins);
    for (size_t t = 0; t < apart.size(); ++t) {
      const auto begin = together.begin() + static_cast<int64_t>(t) * kRows;
      EXPECT_EQ(apart[t], std::vector<float>(begin, begin + kRows)) << t << " of " << count;
    }
  }
  const std::vector<float> x = random.normals(kCols);
  EXPECT_DEATH(ops.matmul_apart(weight, view_of(x.data(), 1, kCols), {}), "shapes of a product");
}

TEST(OpsMatmul, ShapesAreChecked) {
  const std::vector<float> values(12);
  std::vector<float> y(12);
  Ops ops = make_ops(1, 4);
  EXPECT_DEATH(
      ops.matmul(matrix_of(values, 3, 4), view_of(values.data(), 4, 3), view_of(y.data(), 4, 3)),
      "shapes of a product");
  EXPECT_DEATH(
      ops.matmul(matrix_of(values, 2, 6), view_of(values.data(), 2, 6), view_of(y.data(), 2, 2)),
      "as many columns");
}

struct Routed {
  std::vector<float> scores;
  std::vector<int32_t> ids = std::vector<int32_t>(2);
  std::vector<float> weights = std::vector<float>(2);
};

// Fills in scores, ids and weights of the step.
Routed route(std::vector<float> scores, RouteStep step) {
  Routed routed{.scores = std::move(scores)};
  Ops ops = make_ops(1);
  step.scores = view_of(routed.scores.data(), 1, std::ssize(routed.scores));
  step.ids = view_of(routed.ids.data(), 1, 2);
  step.weights = view_of(routed.weights.data(), 1, 2);
  ops.route(step);
  return routed;
}

TEST(OpsRoute, TheHighestScoresArePickedAndTiesGoToTheLowerExpert) {
  const Routed routed = route({1, 3, 3, 2}, {.normalises = true, .scale = 2});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(routed.weights, (std::vector<float>{1, 1}));
}

TEST(OpsRoute, TheBiasCountsForTheChoiceAlone) {
  const std::vector<float> bias = {5, 0, 0, 0};
  const Routed routed = route({1, 3, 3, 2}, {.bias = bias.data()});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(routed.weights, (std::vector<float>{1, 3}));
}

TEST(OpsRoute, TheWeightsOfTheChosenMayBeTheirSoftmax) {
  const Routed routed = route({1, 3, 3, 2}, {.softens_chosen = true});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(routed.weights, (std::vector<float>{0.5f, 0.5f}));
}

// Expert 0 is the best, but its group of two counts less than the other.
TEST(OpsRoute, ExpertsOfOtherGroupsThanTheBestAreNotChosen) {
  const std::vector<float> scores = {5, 0, 3, 4};
  EXPECT_EQ(route(scores, {.groups = {GroupScore::kBestTwoSum, 2, 1}}).ids,
            (std::vector<int32_t>{3, 2}));
  EXPECT_EQ(route(scores, {.groups = {GroupScore::kLargest, 2, 1}}).ids,
            (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(route(scores, {}).ids, (std::vector<int32_t>{0, 3}));
}

// Both picks are expert 0 beforehand.
TEST(OpsRoute, GivenExpertsAreWeighed) {
  const Routed routed = route({4, 1}, {.are_chosen = true, .normalises = true});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(routed.weights, (std::vector<float>{0.5f, 0.5f}));
}

struct Groups {
  std::vector<int32_t> slots;
  std::vector<int32_t> places;
  std::vector<int64_t> starts;
  ExpertGroups view(int64_t picks) {
    return {.expert_count = std::ssize(starts) - 1,
            .picks_per_token = picks,
            .slots = slots,
            .places = places,
            .starts = starts};
  }
};

TEST(OpsExperts, SlotsAreGroupedByExpertInTheOrderOfTokens) {
  const std::vector<int32_t> ids = {2, 0, 0, 2, 3, 2};  // three tokens, two picks each
  Groups groups{std::vector<int32_t>(6), std::vector<int32_t>(6), std::vector<int64_t>(5)};
  make_ops(1).group_by_expert(view_of(ids.data(), 3, 2), groups.view(2));
  EXPECT_EQ(groups.starts, (std::vector<int64_t>{0, 2, 2, 5, 6}));
  EXPECT_EQ(groups.slots, (std::vector<int32_t>{1, 2, 0, 3, 5, 4}));
  for (size_t slot = 0; slot < 6; ++slot) {
    EXPECT_EQ(groups.slots[static_cast<size_t>(groups.places[slot])], static_cast<int32_t>(slot));
  }
}

// A token that goes to one expert with weight 1 gets what the plain layer gives it, bit for bit.
TEST(OpsExperts, AnExpertIsAGatedLayerForItsTokens) {
  constexpr int64_t kTokens = 7;
  constexpr int64_t kDim = 24;
  constexpr int64_t kWidth = 40;
  TestCache random;
  std::vector<std::vector<float>> values;
  std::vector<Mlp> experts;
  for (int e = 0; e < 3; ++e) {
    for (int part = 0; part < 3; ++part) values.push_back(random.normals(kDim * kWidth));
  }
  for (size_t e = 0; e < 3; ++e) {
    experts.push_back({.gate = matrix_of(values[3 * e], kWidth, kDim),
                       .up = matrix_of(values[3 * e + 1], kWidth, kDim),
                       .down = matrix_of(values[3 * e + 2], kDim, kWidth)});
  }
  const std::vector<float> x = random.normals(kTokens * kDim);
  const std::vector<int32_t> ids = {2, 0, 2, 1, 0, 2, 2};
  const std::vector<float> weights(kTokens, 1.0f);
  Groups groups{std::vector<int32_t>(kTokens), std::vector<int32_t>(kTokens),
                std::vector<int64_t>(4)};
  const ExpertGroups grouped = groups.view(1);
  std::vector<float> input(kTokens * kDim);
  std::vector<float> gate(kTokens * kWidth);
  std::vector<float> up(kTokens * kWidth);
  std::vector<float> output(kTokens * kDim);
  std::vector<float> sum(kTokens * kDim);

  Ops ops = make_ops(2);
  ops.group_by_expert(view_of(ids.data(), kTokens, 1), grouped);
  ops.run_experts({.experts = experts,
                   .groups = grouped,
                   .limit = kNoLimit,
                   .x = view_of(x.data(), kTokens, kDim),
                   .weights = view_of(weights.data(), kTokens, 1),
                   .input = view_of(input.data(), kTokens, kDim),
                   .gate = view_of(gate.data(), kTokens, kWidth),
                   .up = view_of(up.data(), kTokens, kWidth),
                   .output = view_of(output.data(), kTokens, kDim)});
  ops.add_routed(grouped, view_of(output.data(), kTokens, kDim),
                 view_of(sum.data(), kTokens, kDim));

  for (size_t t = 0; t < kTokens; ++t) {
    std::vector<float> alone(kDim);
    ops.mlp({.mlp = experts[static_cast<size_t>(ids[t])],
             .limit = kNoLimit,
             .x = view_of(&x[t * kDim], 1, kDim),
             .gate = view_of(gate.data(), 1, kWidth),
             .up = view_of(up.data(), 1, kWidth),
             .y = view_of(alone.data(), 1, kDim)});
    EXPECT_EQ(alone, std::vector<float>(&sum[t * kDim], &sum[t * kDim] + kDim)) << t;
  }
}

}  // namespace
}  // namespace kvasir::ops
