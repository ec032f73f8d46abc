#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

std::vector<int32_t> sorted_top_k(const std::vector<float>& scores, int64_t k) {
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  order.resize(std::clamp<int64_t>(k, 0, static_cast<int64_t>(scores.size())));
  std::sort(order.begin(), order.end());
  return order;
}

void expect_top_k(const std::vector<float>& scores, int64_t k) {
  const auto size = static_cast<int64_t>(scores.size());
  std::vector<int32_t> picked(std::clamp<int64_t>(k, 0, size));
  EXPECT_EQ(top_k(scores.data(), size, k, picked.data()), static_cast<int64_t>(picked.size()));
  EXPECT_EQ(picked, sorted_top_k(scores, k)) << "of " << size << " the best " << k;
}

TEST(TopK, TiesGoToTheLowerIndexAndMinusZeroIsZero) {
  const std::vector<float> scores = {-0.0f, 0.0f, 1, -0.0f, 1, -1, 0.0f};
  for (int64_t k = -1; k <= 8; ++k) expect_top_k(scores, k);
}

TEST(TopK, EqualsASort) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<float> scores(random.integer(0, 3000));
    const int kind = round % 4;
    for (float& score : scores) {
      const float value = random.normal();
      if (kind == 0) score = value;
      if (kind == 1) score = std::round(value);
      if (kind == 2) score = std::max(0.0f, value);
      if (kind == 3) score = 1 + static_cast<float>(random.integer(0, 3)) * 0x1p-23f;
    }
    expect_top_k(scores, random.integer(0, static_cast<int64_t>(scores.size()) + 2));
  }
}

TEST(TopK, HandlesALongContext) {
  Random random(2);
  expect_top_k(random.normals(262144), 512);
  expect_top_k(random.normals(262144), 200000);
  expect_top_k(std::vector<float>(262144, -3.5f), 1024);
}

// Where few are wanted, most scores are passed over in groups of neighbours; which ones lie
// together must not matter.
TEST(TopK, IsExactWhereverTheBestLie) {
  Random random(3);
  std::vector<float> best_between(262144);
  for (size_t i = 0; i < best_between.size(); ++i)
    best_between[i] = i % 256 == 77 ? 1 + random.normal() : -100 + random.normal();
  expect_top_k(best_between, 700);
  std::vector<float> best_together = random.normals(262144);
  for (size_t i = 0; i < 1024; ++i) best_together[100000 + i] += 100;
  for (const int64_t k : {1, 512, 1000, 1024}) expect_top_k(best_together, k);
  std::vector<float> ascending(100003);
  std::iota(ascending.begin(), ascending.end(), -5.0f);
  for (const int64_t k : {1, 16, 1024}) expect_top_k(ascending, k);
  std::vector<float> rounded(100003);
  for (float& score : rounded) score = std::round(random.normal() * 2);
  for (const int64_t k : {1, 5, 512, 1024, 4096}) expect_top_k(rounded, k);
}

TEST(TopK, PicksFewOfAnyCount) {
  Random random(4);
  for (int round = 0; round < 300; ++round) {
    const int64_t k = random.integer(1, 24);
    std::vector<float> scores = random.normals(random.integer(12 * k, 40 * k));
    if (round % 2 == 1) {
      for (float& score : scores) score = std::round(score);
    }
    expect_top_k(scores, k);
  }
}

TEST(TopK, ExtremeMagnitudesKeepTheirOrder) {
  const float big = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> scores = {tiny, -tiny, 0, big, -big, 1e-30f, -1e-30f, 1e30f, -1e30f};
  for (int64_t k = 1; k <= 9; ++k) expect_top_k(scores, k);
}

}  // namespace
}  // namespace kvasir::kernels
