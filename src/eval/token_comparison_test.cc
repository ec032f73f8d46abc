#include "eval/token_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kvasir::eval {
namespace {

// Logits of these shares, whatever is added to all of them.
std::vector<float> logits_of(const std::vector<double>& shares, double shift) {
  std::vector<float> logits;
  for (const double share : shares) logits.push_back(static_cast<float>(std::log(share) + shift));
  return logits;
}

// By hand: .5 ln(.5/.25) + .25 ln(.25/.5) + 0 = .25 ln 2.
TEST(TokenComparisonTest, IsTheDivergenceOfTheTwoDistributions) {
  const auto baseline = logits_of({0.5, 0.25, 0.25}, 3);
  const auto other = logits_of({0.25, 0.5, 0.25}, -40);
  const TokenComparison found = compare_logits(baseline, other, 2);
  EXPECT_NEAR(found.kl, 0.25 * std::log(2.0), 1e-6);
  EXPECT_NEAR(found.nats, std::log(4.0), 1e-5);
  EXPECT_NEAR(found.baseline_nats, std::log(4.0), 1e-6);
  EXPECT_FALSE(found.has_same_best);
  // The other way round it is another number in general.
  const auto skewed = logits_of({0.8, 0.1, 0.1}, 0);
  EXPECT_NEAR(compare_logits(baseline, skewed, 0).kl,
              0.5 * std::log(0.5 / 0.8) + 0.5 * std::log(0.25 / 0.1), 1e-6);
  EXPECT_NEAR(compare_logits(skewed, baseline, 0).kl,
              0.8 * std::log(0.8 / 0.5) + 0.2 * std::log(0.1 / 0.25), 1e-6);
}

TEST(TokenComparisonTest, IsNothingForTheSameLogits) {
  const std::vector<float> logits = {12.5f, -3.25f, 0.1f, 12.5f, 88.0f};
  const TokenComparison same = compare_logits(logits, logits, 1);
  EXPECT_EQ(same.kl, 0);
  EXPECT_EQ(same.nats, same.baseline_nats);
  EXPECT_TRUE(same.has_same_best);
}

TEST(TokenComparisonTest, TellsSmallDivergences) {
  // Of two tokens with p = 1/2, logits d apart instead: KL = ln cosh(d / 2) = d^2 / 8.
  const std::vector<float> baseline = {0, 0};
  const std::vector<float> other = {0, 1e-3f};
  EXPECT_NEAR(compare_logits(baseline, other, 0).kl / (1e-6 / 8), 1, 1e-3);
}

TEST(TokenComparisonTest, OfEqualsTheFirstIsBest) {
  EXPECT_EQ(best_token(std::vector<float>{1, 7, 7}), 1);
}

}  // namespace
}  // namespace kvasir::eval
