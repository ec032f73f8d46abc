#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace kvasir {
namespace {

const std::vector<float> kLogits = {0.0f, 2.0f, 1.0f, 2.0f, -1.0f};

int32_t sample(const SamplingOptions& options, int64_t position,
               const std::vector<float>& logits = kLogits) {
  Sampler sampler(options, std::ssize(logits));
  return sampler.sample(logits, position).value();
}

// How often each id comes out over many positions.
std::map<int32_t, double> frequencies(const SamplingOptions& options, int64_t draws = 20000) {
  std::map<int32_t, double> counts;
  Sampler sampler(options, std::ssize(kLogits));
  for (int64_t position = 0; position < draws; ++position) {
    counts[sampler.sample(kLogits, position).value()] += 1.0 / static_cast<double>(draws);
  }
  return counts;
}

TEST(SamplerTest, GreedyTakesTheHighestAndTheLowerIdOnTies) {
  EXPECT_EQ(sample({.temperature = 0}, 0), 1);
  EXPECT_EQ(sample({.temperature = 0, .seed = 99}, 7), 1);
}

TEST(SamplerTest, FrequenciesFollowTheSoftmaxAtEachTemperature) {
  for (const double temperature : {0.5, 1.0, 2.0}) {
    auto counts = frequencies({.temperature = temperature});
    double total = 0;
    for (const float logit : kLogits) total += std::exp(logit / temperature);
    for (int32_t id = 0; id < std::ssize(kLogits); ++id) {
      const double expected = std::exp(kLogits[static_cast<size_t>(id)] / temperature) / total;
      EXPECT_NEAR(counts[id], expected, 0.012) << "id " << id << ", temperature " << temperature;
    }
  }
}

TEST(SamplerTest, TopKKeepsTheMostLikelyTiesToTheLowerId) {
  for (const auto& [id, share] : frequencies({.temperature = 1, .top_k = 3})) {
    EXPECT_TRUE(id == 1 || id == 2 || id == 3) << id;
  }
  EXPECT_EQ(frequencies({.temperature = 1, .top_k = 1}).size(), 1u);
  EXPECT_EQ(frequencies({.temperature = 1, .top_k = 1}).begin()->first, 1);
}

TEST(SamplerTest, TopPKeepsTheFewestThatReachTheProbability) {
  // Probabilities: 0.377, 0.377, 0.139, 0.051, 0.019 (ids 1, 3, 2, 0, 4).
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 0.3}).size(), 1u);
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 0.7}).size(), 2u);
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 0.8}).size(), 3u);
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 1.0}).size(), 5u);
}

TEST(SamplerTest, MinPDropsWhatIsMuchLessLikelyThanTheBest) {
  // Relative to the best: 1, 1, 0.368, 0.135, 0.050.
  EXPECT_EQ(frequencies({.temperature = 1, .min_p = 0.5}).size(), 2u);
  EXPECT_EQ(frequencies({.temperature = 1, .min_p = 0.3}).size(), 3u);
  EXPECT_EQ(frequencies({.temperature = 1, .min_p = 0.1}).size(), 4u);
}

TEST(SamplerTest, ADrawDependsOnSeedAndPositionAlone) {
  const SamplingOptions options{.temperature = 2, .seed = 5};
  Sampler used(options, std::ssize(kLogits));
  for (int64_t position = 0; position < 10; ++position) {
    EXPECT_TRUE(used.sample(kLogits, position).ok());
  }
  int differing = 0;
  for (int64_t position = 100; position < 200; ++position) {
    const int32_t id = used.sample(kLogits, position).value();
    EXPECT_EQ(id, sample(options, position));
    differing += id != sample({.temperature = 2, .seed = 6}, position) ? 1 : 0;
  }
  EXPECT_GT(differing, 30);
}

TEST(SamplerTest, LogitsThatAreNotFiniteAreAnError) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Sampler sampler({.temperature = 0}, 3);
    const auto result = sampler.sample(std::vector<float>{1, bad, 2}, 41);
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().message().find("position 41"), std::string::npos);
  }
}

TEST(SamplerTest, OptionsOutOfRangeAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(check({.temperature = -1}).error().field, "temperature");
  EXPECT_EQ(check({.temperature = nan}).error().field, "temperature");
  EXPECT_EQ(check({.top_k = -1}).error().field, "top_k");
  EXPECT_EQ(check({.top_p = 0}).error().field, "top_p");
  EXPECT_EQ(check({.min_p = 1.5}).error().field, "min_p");
  EXPECT_TRUE(check({.temperature = 1, .top_k = 40, .top_p = 0.9, .min_p = 0.05}).ok());
}

}  // namespace
}  // namespace kvasir
