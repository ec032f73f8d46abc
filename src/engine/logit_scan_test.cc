#include "engine/logit_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace kvasir {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(size_t count, float spread) {
  std::mt19937 random(static_cast<uint32_t>(count));
  std::normal_distribution<float> normal;  // its own deviation must not be zero
  std::vector<float> logits(count);
  for (float& logit : logits) logit = spread * normal(random);
  return logits;
}

size_t highest_place_of(const std::vector<float>& logits) {
  std::vector<float> maxima;
  block_maxima(logits, maxima);
  return highest_place(logits, maxima);
}

TEST(LogitScanTest, FindsTheFirstOfTheHighestWhereverItLies) {
  for (const size_t count : {1u, 7u, 8u, 63u, 64u, 65u, 1000u}) {
    std::vector<float> logits = random_logits(count, 1);
    for (size_t place = 0; place < count; place += 1 + count / 20) {
      std::vector<float> changed = logits;
      changed[place] = 100;
      changed.back() = 100;
      EXPECT_EQ(highest_place_of(changed), place);
    }
  }
  EXPECT_EQ(highest_place_of(std::vector<float>(70, -kInfinity)), 0u);
}

TEST(LogitScanTest, OneThatIsNotFiniteIsNoticedWhereverItLies) {
  for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
    for (size_t place = 0; place < 21; ++place) {
      std::vector<float> logits(21, 3e38f);
      EXPECT_TRUE(are_finite(logits));
      logits[place] = bad;
      EXPECT_FALSE(are_finite(logits)) << place;
    }
  }
}

TEST(LogitScanTest, SumsOfWeightsAreAsNearAsTheyAreSaidToBe) {
  for (const size_t count : {1u, 70u, 50'000u}) {
    for (const float spread : {0.0f, 0.1f, 4.0f, 100.0f}) {
      std::vector<float> logits = random_logits(count, spread);
      const float highest = *std::ranges::max_element(logits);
      if (count > 1) logits[logits[0] == highest ? 1 : 0] = -kInfinity;
      for (const double temperature : {0.01, 0.8, 100.0}) {
        double exact = 0;
        for (const float logit : logits) {
          exact += std::exp((static_cast<double>(logit) - highest) / temperature);
        }
        const double sum = sum_of_weights(logits, highest, temperature);
        EXPECT_LE(std::abs(sum - exact), kWeightSumError * exact) << count << ' ' << spread;
      }
    }
  }
}

}  // namespace
}  // namespace kvasir
