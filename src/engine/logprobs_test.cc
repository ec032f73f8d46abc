#include "engine/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace kvasir {
namespace {

std::vector<float> random_logits(std::mt19937_64& random, size_t count) {
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = std::round(normal(random) * 4) / 4;
  return logits;
}

// All ids, the most likely first, ties to the lower id.
std::vector<int32_t> in_order(const std::vector<float>& logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  return ids;
}

TEST(Logprobs, AreTheLogarithmsOfTheSoftmaxAndTheTopIsTheFrontOfTheOrder) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    const std::vector<float> logits = random_logits(random, 1 + random() % 300);
    const auto id = static_cast<int32_t>(random() % logits.size());
    const int top_count = static_cast<int>(random() % 21);
    const SampledToken token = logprobs_of(logits, 7, id, top_count).value();
    long double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<long double>(logit));
    const auto expected = [&](int32_t one) {
      return static_cast<float>(logits[static_cast<size_t>(one)] - std::log(sum));
    };
    EXPECT_EQ(token.id, id);
    EXPECT_FLOAT_EQ(token.logprob, expected(id));
    const std::vector<int32_t> order = in_order(logits);
    ASSERT_EQ(token.most_likely.size(), std::min(order.size(), static_cast<size_t>(top_count)));
    for (size_t i = 0; i < token.most_likely.size(); ++i) {
      ASSERT_EQ(token.most_likely[i].id, order[i]) << "round " << round;
      ASSERT_FLOAT_EQ(token.most_likely[i].logprob, expected(order[i]));
    }
  }
}

TEST(Logprobs, LargeLogitsDoNotOverflow) {
  const SampledToken token = logprobs_of(std::vector<float>{3e38f, 3e38f, -3e38f}, 0, 1, 3).value();
  EXPECT_FLOAT_EQ(token.logprob, -std::log(2.0f));
  EXPECT_EQ(token.most_likely[2].id, 2);
  EXPECT_LT(token.most_likely[2].logprob, -1e38f);
}

TEST(Logprobs, LogitsThatAreNotFiniteAreAnError) {
  const std::vector<float> logits{1, std::numeric_limits<float>::infinity()};
  const auto token = logprobs_of(logits, 41, 0, 0);
  ASSERT_FALSE(token.ok());
  EXPECT_NE(token.error().message().find("position 41"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
