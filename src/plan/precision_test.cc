// Bytes and effective bits of every way to hold a cache.
#include <algorithm>
#include <random>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::all_bytes;
using testing::built_in;
using testing::row_bytes;

constexpr int64_t kKi = 1024;

// Of Llama-3.1-8B at 128k tokens: as many bits per value as GiB.
double effective_bits(const char* precision, int64_t tokens = 128 * kKi) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const auto values = static_cast<double>(tokens * 65'536);
  return 8 * static_cast<double>(row_bytes(llama, tokens, {.precision = precision})) / values;
}

TEST(Precision, EffectiveBits) {
  EXPECT_DOUBLE_EQ(effective_bits("f32"), 32);
  EXPECT_DOUBLE_EQ(effective_bits("bf16"), 16);
  EXPECT_DOUBLE_EQ(effective_bits("native"), 16);
  EXPECT_DOUBLE_EQ(effective_bits("fp8"), 8);
  EXPECT_DOUBLE_EQ(effective_bits("fp8-token"), 8.25);
  EXPECT_DOUBLE_EQ(effective_bits("int8-token"), 8.25);
  EXPECT_DOUBLE_EQ(effective_bits("q8_0"), 8.5);
  EXPECT_DOUBLE_EQ(effective_bits("q5_1"), 6);
  EXPECT_DOUBLE_EQ(effective_bits("q5_0"), 5.5);
  EXPECT_DOUBLE_EQ(effective_bits("q4_1"), 5);
  EXPECT_DOUBLE_EQ(effective_bits("q4_0"), 4.5);
  EXPECT_DOUBLE_EQ(effective_bits("mxfp4"), 4.25);
  EXPECT_DOUBLE_EQ(effective_bits("nvfp4"), 4.5);
  EXPECT_DOUBLE_EQ(effective_bits("turboquant-k8v4"), 6.125);
  EXPECT_DOUBLE_EQ(effective_bits("turboquant-4bit"), 4.25);
  EXPECT_DOUBLE_EQ(effective_bits("turboquant-k3v4"), 3.75);
  EXPECT_DOUBLE_EQ(effective_bits("turboquant-3bit"), 3.25);
  // Published as bits + .33 for 4,096 values of a layer; with 1,024 the four bytes per token and
  // layer weigh more.
  EXPECT_NEAR(effective_bits("kvquant4"), 4.32 + 8 * 12.0 / 2048, 1e-6);
  EXPECT_NEAR(effective_bits("kvquant2"), 2.32 + 8 * 12.0 / 2048, 1e-6);
}

TEST(Precision, KvquantOfAsManyHeadsAsPublished) {
  const CacheModel llama = built_in("llama-2-7b");
  const double bits = 8 * static_cast<double>(row_bytes(llama, 4096, {.precision = "kvquant4"})) /
                      (4096 * 262'144.0);
  EXPECT_NEAR(bits, 4.33, 0.005);
}

// Right after a flush of the keys' window.
TEST(Precision, KiviAtSeveralLengths) {
  EXPECT_NEAR(effective_bits("kivi2", 2 * kKi), 3.41, 0.005);
  EXPECT_NEAR(effective_bits("kivi2", 8 * kKi), 3.10, 0.005);
  EXPECT_NEAR(effective_bits("kivi2", 32 * kKi), 3.03, 0.005);
  EXPECT_NEAR(effective_bits("kivi2", 128 * kKi), 3.01, 0.005);
}

// The published formula, head by head.
TEST(Precision, KiviIsItsFormulaAtEveryLength) {
  const CacheModel llama = built_in("llama-3.1-8b");
  constexpr int64_t kDim = 128;
  constexpr int64_t kGroup = 32;
  constexpr int64_t kResidual = 128;
  constexpr int64_t kHeads = 32 * 8;
  std::mt19937 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    const auto tokens = static_cast<int64_t>(random() % 5000);
    for (const int64_t bits : {2, 4}) {
      const int64_t quantised = kDim * bits / 8 + 4 * kDim / kGroup;
      const int64_t waiting = tokens % kResidual;
      const int64_t newest = std::min(tokens, kResidual);
      const int64_t keys = (tokens - waiting) * quantised + 2 * kDim * waiting;
      const int64_t values = (tokens - newest) * quantised + 2 * kDim * newest;
      EXPECT_EQ(row_bytes(llama, tokens, {.precision = bits == 2 ? "kivi2" : "kivi4"}),
                kHeads * (keys + values))
          << tokens;
    }
  }
}

TEST(Precision, LowRankCountsItsBasesOnce) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const auto one = testing::bill_of(llama, {.precision = "lowrank"}, {.context_tokens = 0});
  EXPECT_EQ(one.ram_bytes, 10'092'544);  // 9.6 MiB at rank 77
  const auto many =
      testing::bill_of(llama, {.precision = "lowrank"}, {.context_tokens = 0, .sequences = 10});
  EXPECT_EQ(many.ram_bytes, one.ram_bytes);
  EXPECT_EQ(row_bytes(llama, 10, {.precision = "lowrank"}), int64_t{10} * 32 * 8 * 2 * 77 * 2);
  // Whole groups of coordinates: a little above 5r/8.
  EXPECT_EQ(row_bytes(llama, 10, {.precision = "lowrank-int4"}),
            int64_t{10} * 32 * 8 * 2 * (39 + 3 * 4));
}

TEST(Precision, LlamaCppBlocksRunThroughTheHeads) {
  // Heads of 80 dims are no whole blocks of 32; two of them are.
  const CacheModel model = testing::of_config(R"({"model_type": "stablelm",
      "num_hidden_layers": 1, "hidden_size": 160, "num_attention_heads": 2,
      "num_key_value_heads": 2})");
  EXPECT_EQ(row_bytes(model, 1, {.precision = "q8_0"}), 2 * 160 / 32 * 34);
}

TEST(Precision, SchemesForKeysAndValuesSayNothingOfLatents) {
  for (const char* precision : {"kivi2", "kvquant4", "lowrank", "turboquant-k3v4"}) {
    EXPECT_FALSE(cache_cost(built_in("deepseek-v3"), {.precision = precision}).ok()) << precision;
    EXPECT_FALSE(cache_cost(built_in("deepseek-v4-flash"), {.precision = precision}).ok())
        << precision;
  }
  EXPECT_FALSE(cache_cost(built_in("llama-3-8b"), {.precision = "fp8-mla"}).ok());
  EXPECT_FALSE(cache_cost(built_in("llama-3-8b"), {.precision = "int3"}).ok());
  EXPECT_FALSE(
      cache_cost(built_in("llama-3-8b"), {.precision = "bf16", .index_precision = "kivi2"}).ok());
}

TEST(Precision, RanksShareHeadsAndRepeatThem) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const int64_t whole = row_bytes(llama, 1000);
  const auto of_rank = [&](int64_t ranks) {
    return row_bytes(llama, 1000, {.precision = "bf16", .tensor_parallel = ranks});
  };
  EXPECT_EQ(of_rank(2), whole / 2);
  EXPECT_EQ(of_rank(8), whole / 8);
  EXPECT_EQ(of_rank(16), whole / 8);
  // Single vectors lie on every rank.
  for (const char* name : {"deepseek-v3", "glm-5", "deepseek-v4-flash"}) {
    EXPECT_EQ(all_bytes(built_in(name), 1000, {.precision = "bf16", .tensor_parallel = 8}),
              all_bytes(built_in(name), 1000))
        << name;
  }
}

TEST(Precision, RanksShareStates) {
  // Heads are divided, a single group of a convolution lies on every rank.
  const CacheModel model = testing::of_config(R"({"model_type": "bamba", "num_hidden_layers": 2,
      "hidden_size": 512, "num_attention_heads": 4, "attn_layer_indices": [],
      "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 32,
      "mamba_d_conv": 4})");
  const auto bytes = [](int64_t heads) {
    return 2 * (3 * (heads * 16 + 2 * 32) * 2 + heads * 16 * 32 * 4);
  };
  EXPECT_EQ(all_bytes(model, 10), bytes(8));
  EXPECT_EQ(all_bytes(model, 10, {.precision = "bf16", .tensor_parallel = 4}), bytes(2));
}

TEST(Precision, OptionsThatChangeNothingAreTold) {
  const CacheModel llama = built_in("llama-3.1-8b");
  for (const CostOptions& options : {CostOptions{.precision = "bf16", .index_precision = "fp8"},
                                     CostOptions{.precision = "bf16", .state_precision = "bf16"},
                                     CostOptions{.precision = "bf16", .keeps_whole_windows = true},
                                     CostOptions{.precision = "bf16", .with_draft = true}}) {
    const auto cost = cache_cost(llama, options);
    ASSERT_TRUE(cost.ok());
    EXPECT_EQ(cost->notes.size(), 1U);
  }
  EXPECT_TRUE(cache_cost(llama, {.precision = "bf16"})->notes.empty());
}

TEST(Precision, PagesAreWhole) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const CostOptions paged{.precision = "bf16", .page_tokens = 16};
  EXPECT_EQ(row_bytes(llama, 1, paged), row_bytes(llama, 16));
  EXPECT_EQ(row_bytes(llama, 17, paged), row_bytes(llama, 32));
  EXPECT_EQ(row_bytes(llama, 32, paged), row_bytes(llama, 32));
}

TEST(Precision, StatesInOtherTypes) {
  // kvcache.ai counts the state of one of these in bf16.
  const CacheModel qwen = built_in("qwen3.6-27b");
  const int64_t state_values = int64_t{48} * 48 * 128 * 128;
  EXPECT_EQ(
      all_bytes(qwen, 0) - all_bytes(qwen, 0, {.precision = "bf16", .state_precision = "bf16"}),
      2 * state_values);
  for (const char* precision : {"native", "q8_0", "kivi2"}) {
    EXPECT_FALSE(cache_cost(qwen, {.precision = "bf16", .state_precision = precision}).ok());
  }
}

}  // namespace
}  // namespace kvasir::plan
