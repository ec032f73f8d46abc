#include "engine/logit_adjuster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "engine/sampler.h"

namespace kvasir {
namespace {

using Ids = std::vector<int32_t>;

// What the options mean, as plainly as it can be written.
std::vector<float> plainly_adjusted(const SamplingOptions& options, const Ids& prompt,
                                    const Ids& reply, const std::vector<float>& logits) {
  std::vector<float> adjusted;
  for (int32_t id = 0; id < std::ssize(logits); ++id) {
    float biased = logits[static_cast<size_t>(id)];
    bool is_forbidden = false;
    for (const LogitBias& one : options.logit_bias) {
      if (one.id != id) continue;
      biased += one.bias;
      is_forbidden |= one.bias == -100;
    }
    double logit = biased;
    const auto in_reply = std::count(reply.begin(), reply.end(), id);
    if (in_reply > 0 || std::count(prompt.begin(), prompt.end(), id) > 0) {
      logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
    }
    if (in_reply > 0) {
      logit -= options.presence_penalty + options.frequency_penalty * static_cast<double>(in_reply);
    }
    adjusted.push_back(is_forbidden ? kForbiddenLogit : static_cast<float>(logit));
  }
  return adjusted;
}

std::vector<float> adjusted(const SamplingOptions& options, const Ids& prompt, const Ids& reply,
                            const std::vector<float>& logits) {
  LogitAdjuster adjuster(options, std::ssize(logits));
  adjuster.set_prompt(prompt);
  for (const int32_t id : reply) adjuster.add(id);
  const std::span<const float> out = adjuster.adjust(logits);
  return {out.begin(), out.end()};
}

Ids random_ids(std::mt19937_64& random, size_t count, size_t vocab) {
  Ids ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % vocab);
  return ids;
}

SamplingOptions random_options(std::mt19937_64& random, size_t vocab) {
  SamplingOptions options{.presence_penalty = std::array{0.0, 0.0, -2.0, 0.7}[random() % 4],
                          .frequency_penalty = std::array{0.0, 0.0, 2.0, -0.3}[random() % 4],
                          .repetition_penalty = std::array{1.0, 1.0, 1.3, 0.8}[random() % 4]};
  for (const int32_t id : random_ids(random, random() % 5, vocab)) {
    options.logit_bias.push_back({id, std::array{-100.0f, -1.5f, 0.25f, 100.0f}[random() % 4]});
  }
  return options;
}

std::vector<float> random_logits(std::mt19937_64& random, size_t vocab) {
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(vocab);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

TEST(LogitAdjuster, DoesWhatTheOptionsMean) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const size_t vocab = 1 + random() % 40;
    const SamplingOptions options = random_options(random, vocab);
    ASSERT_TRUE(check(options).ok());
    const Ids prompt = random_ids(random, random() % 20, vocab);
    const Ids reply = random_ids(random, random() % 20, vocab);
    const std::vector<float> logits = random_logits(random, vocab);
    ASSERT_EQ(adjusted(options, prompt, reply, logits),
              plainly_adjusted(options, prompt, reply, logits))
        << "round " << round;
  }
}

TEST(LogitAdjuster, IsNeededWhereAnOptionChangesLogits) {
  EXPECT_FALSE(LogitAdjuster::is_needed({.temperature = 1, .top_k = 5, .seed = 3}));
  EXPECT_TRUE(LogitAdjuster::is_needed({.logit_bias = {{1, 1}}}));
  EXPECT_TRUE(LogitAdjuster::is_needed({.presence_penalty = 1}));
  EXPECT_TRUE(LogitAdjuster::is_needed({.frequency_penalty = -1}));
  EXPECT_TRUE(LogitAdjuster::is_needed({.repetition_penalty = 1.1}));
}

TEST(LogitAdjuster, LogitsStayFiniteHoweverStrongAPenaltyIs) {
  for (const double penalty : {1e-300, 1e300}) {
    for (const float logit : adjusted({.repetition_penalty = penalty}, {0, 1}, {1}, {9, -9, 1})) {
      EXPECT_TRUE(std::isfinite(logit)) << penalty;
    }
  }
}

// ---- in the sampler ----

TEST(SamplerAdjustment, TheTokensOfAReplyAreThoseOfThePlainDefinition) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    const size_t vocab = 5 + random() % 200;
    SamplingOptions options = random_options(random, vocab);
    options.temperature = std::array{0.0, 1.5}[random() % 2];
    options.seed = random();
    const Ids prompt = random_ids(random, 10, vocab);
    Sampler sampler(options, static_cast<int64_t>(vocab));
    sampler.set_prompt(prompt);
    Ids reply;
    for (int64_t position = 10; position < 30; ++position) {
      const std::vector<float> logits = random_logits(random, vocab);
      std::vector<float> expected = plainly_adjusted(options, prompt, reply, logits);
      // A sampler without adjustments refuses infinity; so little is never drawn.
      std::replace(expected.begin(), expected.end(), kForbiddenLogit, -1e30f);
      const SamplingOptions plain{.temperature = options.temperature, .seed = options.seed};
      const int32_t id =
          Sampler(plain, static_cast<int64_t>(vocab)).sample(expected, position).value();
      ASSERT_EQ(sampler.sample(logits, position).value(), id) << "round " << round;
      reply.push_back(id);
    }
  }
}

// Neither the last of the list nor a cut that is longer than the list may bring one back.
TEST(SamplerAdjustment, AForbiddenTokenIsNeverDrawn) {
  const std::vector<float> logits{5, 1, 4, 1};
  for (const int64_t top_k : {0, 3}) {
    Sampler sampler({.temperature = 100, .top_k = top_k, .logit_bias = {{0, -100}, {3, -100}}}, 4);
    for (int64_t position = 0; position < 2000; ++position) {
      const int32_t id = sampler.sample(logits, position).value();
      ASSERT_TRUE(id == 1 || id == 2) << id;
    }
  }
}

TEST(SamplerAdjustment, ThereMustBeATokenThatMayBeSampled) {
  for (const double temperature : {0.0, 1.0}) {
    Sampler sampler({.temperature = temperature, .logit_bias = {{0, -100}, {1, -100}}}, 2);
    const auto id = sampler.sample(std::vector<float>{1, 2}, 0);
    ASSERT_FALSE(id.ok());
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(id.error().field, "logit_bias");
  }
}

TEST(SamplerAdjustment, AForbiddenTokenHidesNoBrokenLogit) {
  Sampler sampler({.logit_bias = {{1, -100}}}, 2);
  const std::vector<float> logits{1, std::numeric_limits<float>::quiet_NaN()};
  const auto id = sampler.sample(logits, 0);
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().kind, ErrorKind::kDamaged);
}

TEST(SamplerAdjustment, OptionsOutOfRangeAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {-2.01, 2.01, nan}) {
    EXPECT_EQ(check(SamplingOptions{.presence_penalty = bad}).error().field, "presence_penalty");
    EXPECT_EQ(check(SamplingOptions{.frequency_penalty = bad}).error().field, "frequency_penalty");
  }
  for (const double bad : {0.0, -1.0, nan, std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(check(SamplingOptions{.repetition_penalty = bad}).error().field,
              "repetition_penalty");
  }
  for (const LogitBias bad : {LogitBias{-1, 0}, LogitBias{1, -101}, LogitBias{1, 101},
                              LogitBias{1, std::numeric_limits<float>::quiet_NaN()}}) {
    EXPECT_EQ(check(SamplingOptions{.logit_bias = {bad}}).error().field, "logit_bias");
  }
  EXPECT_EQ(check(GenerateOptions{.top_logprob_count = 21}).error().field, "top_logprob_count");
  EXPECT_EQ(check(GenerateOptions{.top_logprob_count = -1}).error().field, "top_logprob_count");
  EXPECT_EQ(check(GenerateOptions{.tokens_max = -1}).error().field, "tokens_max");
  EXPECT_EQ(check(GenerateOptions{.sampling = {.top_p = 2}}).error().field, "top_p");
  EXPECT_TRUE(check(GenerateOptions{.tokens_max = 0, .top_logprob_count = 20}).ok());
}

}  // namespace
}  // namespace kvasir
