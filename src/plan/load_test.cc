// Sequences, shared prefixes and what fits.
#include <random>

#include "plan/fit.h"
#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::bill_of;
using testing::built_in;

constexpr int64_t kGB = 1'000'000'000;

TEST(Load, SequencesMultiplyAndASharedPrefixIsHeldOnce) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const CostOptions options{.precision = "bf16"};
  const auto bytes = [&](const Load& load) { return bill_of(llama, options, load).ram_bytes; };
  const int64_t token = 131'072;
  EXPECT_EQ(bytes({.context_tokens = 1000, .sequences = 8}), 8 * 1000 * token);
  EXPECT_EQ(bytes({.context_tokens = 1000, .sequences = 8, .shared_prefix_tokens = 600}),
            (600 + 8 * 400) * token);
  EXPECT_EQ(bytes({.context_tokens = 1000, .sequences = 1, .shared_prefix_tokens = 600}),
            1000 * token);
}

// By hand: shared are a prefix's tokens that have left the newest of every sequence.
TEST(Load, WhatKiviHasQuantisedOfAPrefixIsShared) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const Load load{.context_tokens = 1000, .sequences = 4, .shared_prefix_tokens = 500};
  constexpr int64_t kHeads = 32 * 8;
  constexpr int64_t kQuantised = 128 * 2 / 8 + 4 * 128 / 32;
  constexpr int64_t kHalf = 2 * 128;
  const int64_t keys = (384 + 4 * (896 - 384)) * kQuantised + 4 * 104 * kHalf;
  const int64_t values = (500 + 4 * (872 - 500)) * kQuantised + 4 * 128 * kHalf;
  EXPECT_EQ(bill_of(llama, {.precision = "kivi2"}, load).ram_bytes, kHeads * (keys + values));
}

// Pages are shared whole, windows and states not at all.
TEST(Load, OnlyWholePagesAndBlocksAreShared) {
  const CostOptions paged{.precision = "bf16", .page_tokens = 16};
  EXPECT_EQ(bill_of(built_in("llama-3.1-8b"), paged,
                    {.context_tokens = 64, .sequences = 2, .shared_prefix_tokens = 20})
                .ram_bytes,
            int64_t{16 + 2 * 48} * 131'072);
  const CacheModel mistral = built_in("mistral-7b-v0.1");
  EXPECT_EQ(bill_of(mistral, {.precision = "bf16"},
                    {.context_tokens = 10'000, .sequences = 3, .shared_prefix_tokens = 5000})
                .ram_bytes,
            int64_t{3} * 4096 * 131'072);
  const CacheModel flash = built_in("deepseek-v4-flash");
  const auto flash_bytes = [&](const Load& load) {
    return bill_of(flash, {.precision = "native"}, load).ram_bytes;
  };
  const int64_t block = 449'824;
  EXPECT_EQ(flash_bytes({.context_tokens = 1280, .sequences = 4}) -
                flash_bytes({.context_tokens = 1280, .sequences = 4, .shared_prefix_tokens = 400}),
            3 * 3 * block);  // three whole blocks of 128 in 400 tokens
}

TEST(Fit, IsTheLargestContextThatFits) {
  for (const char* name : {"llama-3.1-8b", "deepseek-v4-flash", "gemma-3-27b", "qwen3.6-27b",
                           "mistral-7b-v0.1", "deepseek-v3.2"}) {
    CacheModel model = built_in(name);
    model.weight_bytes = kGB;
    model.context_tokens_max = 0;
    const FitQuestion question{.memory_bytes = 3 * kGB,
                               .headroom_bytes = kGB / 2,
                               .load = {.sequences = 2, .shared_prefix_tokens = 100},
                               .thread_count = 2};
    const auto fits = find_fits(model, {}, question);
    ASSERT_TRUE(fits.ok());
    EXPECT_GT(fits->size(), 10U);
    for (const Fit& fit : *fits) {
      if (fit.context_tokens == kContextTokensMax) continue;
      const auto room = question.memory_bytes - question.headroom_bytes;
      EXPECT_LE(fit.memory_bytes, room) << name << " " << fit.precision;
      // One token more does not fit, whichever remainder of a window it stands at.
      Load more = question.load;
      more.context_tokens = fit.context_tokens + 1;
      more.is_bound = true;
      const auto cost = cache_cost(model, {.precision = fit.precision});
      const int64_t cache = fit.placement == Placement::kRam
                                ? bytes_of(cost->ram, more)
                                : budget_for_cold(bytes_of(cost->ram_cold, more));
      EXPECT_GT(cache + kGB +
                    pass_buffer_bytes(model, {.precision = fit.precision}, more.context_tokens, 2),
                room)
          << name << " " << fit.precision;
    }
  }
}

TEST(Fit, EveryShorterContextFitsToo) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const FitQuestion question{.memory_bytes = 300'000'000};
  const auto fits = find_fits(llama, {}, question);
  ASSERT_TRUE(fits.ok());
  for (const Fit& fit : *fits) {
    for (int64_t tokens = std::max<int64_t>(0, fit.context_tokens - 300);
         tokens <= fit.context_tokens; ++tokens) {
      EXPECT_LE(bill_of(llama, {.precision = fit.precision}, {.context_tokens = tokens}).ram_bytes,
                question.memory_bytes)
          << fit.precision << " " << tokens;
    }
  }
}

Advice advice_for(const CacheModel& model, int64_t memory_bytes, int64_t context_tokens,
                  std::vector<Fit>& fits) {
  const FitQuestion question{.memory_bytes = memory_bytes,
                             .load = {.context_tokens = context_tokens}};
  fits = find_fits(model, {}, question).value();
  return choose(model, fits, {}, question);
}

TEST(Advice, PrefersTheModelsOwnPrecisionAndRam) {
  std::vector<Fit> fits;
  const CacheModel flash = built_in("deepseek-v4-flash");
  const Advice in_ram = advice_for(flash, 8 * kGB, 0, fits);
  ASSERT_NE(in_ram.choice, nullptr);
  EXPECT_EQ(in_ram.choice->precision, "native");
  EXPECT_EQ(in_ram.choice->placement, Placement::kRam);
  // A gigabyte holds a million tokens only with cold rows on SSD.
  const Advice on_ssd = advice_for(flash, kGB, 1 << 20, fits);
  ASSERT_NE(on_ssd.choice, nullptr);
  EXPECT_EQ(on_ssd.choice->precision, "native");
  EXPECT_EQ(on_ssd.choice->placement, Placement::kColdOnSsd);
  EXPECT_NE(on_ssd.reason.find("same"), std::string::npos);
}

TEST(Advice, GoesAsFarAsIsAskedFor) {
  std::vector<Fit> fits;
  const CacheModel llama = built_in("llama-3.1-8b");
  // Beyond what the model was made for, when that is asked for.
  const Advice beyond = advice_for(llama, 100 * kGB, 262'144, fits);
  ASSERT_NE(beyond.choice, nullptr);
  EXPECT_EQ(beyond.choice->context_tokens, 262'144);
  const Advice less = advice_for(llama, 1 * kGB, 131'072, fits);
  ASSERT_NE(less.choice, nullptr);
  EXPECT_EQ(less.choice->precision, "native");
  EXPECT_LT(less.choice->context_tokens, 131'072);
  EXPECT_EQ(advice_for(llama, 1000, 131'072, fits).choice, nullptr);
}

}  // namespace
}  // namespace kvasir::plan
