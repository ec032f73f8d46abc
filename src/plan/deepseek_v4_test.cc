// DeepSeek-V4: what is planned is what is allocated.
#include <fmt/format.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kv/sequence.h"
#include "kv/test_support.h"
#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using kernels::CodecId;

struct Chosen {
  const char* name;
  CodecId rows;
  CodecId keys;
};
constexpr Chosen kChosen[] = {{"native", CodecId::kFp8, CodecId::kFp4},
                              {"bf16", CodecId::kBf16, CodecId::kBf16},
                              {"f16", CodecId::kF16, CodecId::kF16},
                              {"f32", CodecId::kF32, CodecId::kF32}};

// A model of random shape, as a config and as the engine's own description of its cache.
struct RandomModel {
  std::string config;
  kv::PooledShape shape;
};

RandomModel random_model(std::mt19937& random) {
  const auto below = [&](int64_t count) { return static_cast<int64_t>(random() % count); };
  RandomModel model;
  kv::PooledShape& shape = model.shape;
  shape.ratios.clear();
  shape.width = 8 * (1 + below(80));
  shape.rope_width = std::min<int64_t>(shape.width, 2 * (1 + below(40)));
  shape.index_width = 128;
  if (shape.rope_width > shape.index_width) shape.rope_width = shape.index_width;
  shape.window_tokens = 1 + below(300);
  const int64_t layers = 1 + below(12);
  std::string ratios;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const int64_t ratio = std::array<int64_t, 3>{0, 4, 128}[static_cast<size_t>(below(3))];
    shape.ratios.push_back(ratio);
    ratios += (layer == 0 ? "" : ", ") + std::to_string(ratio);
  }
  model.config = fmt::format(
      R"({{"model_type": "deepseek_v4", "num_hidden_layers": {}, "head_dim": {},
          "qk_rope_head_dim": {}, "sliding_window": {}, "index_head_dim": 128,
          "index_n_heads": 4, "index_topk": 16, "compress_ratios": [{}]}})",
      layers, shape.width, shape.rope_width, shape.window_tokens, ratios);
  return model;
}

int64_t allocated_bytes(const kv::PooledShape& shape, int64_t token_count) {
  const auto layout =
      std::make_shared<const kv::CacheLayout>(kv::make_layout(kv::pooled_spec(shape)));
  const auto account = std::make_shared<kv::MemoryAccount>();
  kv::Sequence sequence = kv::Sequence::create(layout, account).value();
  const std::vector<int32_t> tokens(static_cast<size_t>(token_count));
  EXPECT_TRUE(sequence.begin_append(tokens).ok());
  sequence.finish_append();
  return account->allocated_bytes();
}

TEST(PlanOfDeepSeekV4, IsWhatASequenceAllocates) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 60; ++trial) {
    RandomModel model = random_model(random);
    const CacheModel plan = testing::of_config(model.config);
    for (const Chosen& chosen : kChosen) {
      model.shape.rows = chosen.rows;
      model.shape.keys = chosen.keys;
      const auto tokens = static_cast<int64_t>(random() % 1500);
      EXPECT_EQ(testing::all_bytes(plan, tokens, {.precision = chosen.name}),
                allocated_bytes(model.shape, tokens))
          << model.config << " " << chosen.name << " " << tokens;
    }
  }
}

TEST(PlanOfDeepSeekV4, OtherFormatsKeepTheEnginesBlocks) {
  const CacheModel flash = testing::built_in("deepseek-v4-flash");
  // 513 rows of a layer are begun in the 17th block of 32.
  EXPECT_EQ(testing::row_bytes(flash, 2052, {.precision = "q8_0"}),
            testing::row_bytes(flash, 2176, {.precision = "q8_0"}));
}

TEST(PlanOfDeepSeekV4, OtherEnginesPagesAndWindows) {
  const CacheModel flash = testing::built_in("deepseek-v4-flash");
  const auto rows = [&](int64_t tokens, const CostOptions& options) {
    return testing::row_bytes(flash, tokens, options);
  };
  const CostOptions paged{.precision = "native", .page_tokens = 256};
  EXPECT_EQ(rows(1025, paged), rows(1280, {.precision = "native"}));
  const CostOptions whole{.precision = "native", .keeps_whole_windows = true};
  EXPECT_EQ(rows(1280, whole) - rows(1280, {.precision = "native"}), (1280 - 128) * 43 * 584);
  EXPECT_TRUE(cache_cost(flash, paged)->ram_cold.empty());
}

TEST(PlanOfDeepSeekV4, IndexKeysInAPrecisionOfTheirOwn) {
  const CacheModel flash = testing::built_in("deepseek-v4-flash");
  const auto keys = [&](const CostOptions& options) {
    for (const BillLine& line : testing::bill_of(flash, options, {.context_tokens = 128}).lines) {
      if (line.part == "CSA index keys") return line.ram_bytes;
    }
    return int64_t{0};
  };
  constexpr int64_t kKeys = 21 * 32;
  EXPECT_EQ(keys({.precision = "native"}), kKeys * 68);
  EXPECT_EQ(keys({.precision = "bf16"}), kKeys * 256);
  EXPECT_EQ(keys({.precision = "bf16", .index_precision = "native"}), kKeys * 68);
  EXPECT_EQ(keys({.precision = "fp8", .index_precision = "native"}), kKeys * 68);
  EXPECT_EQ(keys({.precision = "fp8"}), kKeys * 128);
  EXPECT_EQ(keys({.precision = "native", .index_precision = "fp8-token"}), kKeys * 132);
  EXPECT_EQ(keys({.precision = "flashmla"}), kKeys * 68);
}

TEST(PlanOfDeepSeekV4, RanksAndPagesAreNotKvasirs) {
  const CacheModel flash = testing::built_in("deepseek-v4-flash");
  EXPECT_GT(pass_buffer_bytes(flash, {}, 1000, 2), 0);
  for (const CostOptions& options :
       {CostOptions{.precision = "q8_0"}, CostOptions{.page_tokens = 256},
        CostOptions{.tensor_parallel = 2}, CostOptions{.keeps_whole_windows = true}}) {
    EXPECT_EQ(pass_buffer_bytes(flash, options, 1000, 2), 0);
    EXPECT_TRUE(cache_cost(flash, options)->ssd.empty());
  }
}

TEST(PlanOfDeepSeekV4, OnlyItsOwnPrecisionsHaveTiers) {
  const CacheModel flash = testing::built_in("deepseek-v4-flash");
  const Load load{.context_tokens = 100'000};
  for (const Chosen& chosen : kChosen) {
    const Bill bill = testing::bill_of(flash, {.precision = chosen.name}, load);
    EXPECT_TRUE(bill.ram_budget_bytes && bill.ssd_bytes) << chosen.name;
  }
  const Bill other = testing::bill_of(flash, {.precision = "q8_0"}, load);
  EXPECT_FALSE(other.ram_budget_bytes || other.ssd_bytes);
}

}  // namespace
}  // namespace kvasir::plan
