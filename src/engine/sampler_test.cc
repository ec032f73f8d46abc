#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "base/random.h"

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

// ---- the definition, as plainly as it can be written ----

double uniform(uint64_t seed, int64_t position) {
  return unit_interval(mix_bits(mix_bits(seed) ^ static_cast<uint64_t>(position)));
}

struct Weighed {
  int32_t id;
  double weight;
};

std::vector<Weighed> in_order(const SamplingOptions& options, const std::vector<float>& logits) {
  std::vector<int32_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  if (options.top_k > 0 && options.top_k < std::ssize(ids)) {
    ids.resize(static_cast<size_t>(options.top_k));
  }
  const double highest = logits[static_cast<size_t>(ids[0])];
  std::vector<Weighed> list;
  for (const int32_t id : ids) {
    const double logit = logits[static_cast<size_t>(id)];
    list.push_back({id, std::exp((logit - highest) / options.temperature)});
  }
  return list;
}

int32_t plain_sample(const SamplingOptions& options, int64_t position,
                     const std::vector<float>& logits) {
  const std::vector<Weighed> list = in_order(options, logits);
  double total = 0;
  for (const Weighed& one : list) total += one.weight;
  size_t count = 0;
  double kept = 0;
  for (; count < list.size(); ++count) {
    if (count > 0 && kept >= options.top_p * total) break;
    if (list[count].weight < options.min_p * list[0].weight) break;
    kept += list[count].weight;
  }
  double left = uniform(options.seed, position) * kept;
  for (size_t i = 0; i < count; ++i) {
    left -= list[i].weight;
    if (left < 0) return list[i].id;
  }
  return list[count - 1].id;
}

// Peaked and flat, with and without many ties.
std::vector<float> random_logits(std::mt19937_64& random, size_t count) {
  std::normal_distribution<float> normal(0, 0.5f * static_cast<float>(1 + random() % 8));
  const float step = random() % 2 == 0 ? 0.0f : 0.25f;
  std::vector<float> logits(count);
  for (float& logit : logits) {
    logit = normal(random);
    if (step > 0) logit = std::round(logit / step) * step;
  }
  return logits;
}

TEST(SamplerTest, DrawsAreThoseOfTheWholeVocabularySorted) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    const size_t count = round % 100 == 0 ? 50'000 : 1 + random() % 1500;
    const std::vector<float> logits = random_logits(random, count);
    const SamplingOptions options{
        .temperature = std::array{0.05, 0.7, 1.0, 3.0, 100.0}[random() % 5],
        .top_k = std::array<int64_t, 6>{0, 0, 0, 1, 40, 1000}[random() % 6],
        .top_p = std::array{1.0, 1.0, 0.99, 0.9, 0.5, 1e-9}[random() % 6],
        .min_p = std::array{0.0, 0.0, 1e-300, 0.01, 0.3, 1.0}[random() % 6],
        .seed = random()};
    Sampler sampler(options, std::ssize(logits));
    for (int64_t position = 0; position < (count > 1500 ? 3 : 8); ++position) {
      ASSERT_EQ(sampler.sample(logits, position).value(), plain_sample(options, position, logits))
          << "round " << round << ", position " << position << ", of " << count;
    }
  }
}

// Of very many draws a few fall so close to the edge between two tokens that the order of a sum
// decides: the order is that of the definition.
TEST(SamplerTest, DrawsThatRoundingDecidesAreTheSameToo) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> logits(60'000);
  for (float& logit : logits) logit = normal(random);
  const SamplingOptions options{.temperature = 4, .seed = 11};
  const std::vector<Weighed> list = in_order(options, logits);
  std::vector<double> edges;
  double sum = 0;
  for (const Weighed& one : list) edges.push_back(sum += one.weight);
  Sampler sampler(options, std::ssize(logits));
  int64_t close_draws = 0;
  for (int64_t position = 0; position < 3'000'000; ++position) {
    const double at = uniform(options.seed, position) * sum;
    const auto edge = std::lower_bound(edges.begin(), edges.end(), at - 2e-11 * sum);
    if (edge == edges.end() || std::abs(*edge - at) > 2e-11 * sum) continue;
    ++close_draws;
    ASSERT_EQ(sampler.sample(logits, position).value(), plain_sample(options, position, logits));
  }
  EXPECT_GT(close_draws, 3);
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
