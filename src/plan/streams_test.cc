// The table of streams that a config becomes is one that the cache can lay out, and the bill is
// what it takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kv/layout.h"
#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::of_config;

kv::CacheSpec without_drafts(const CacheModel& model) {
  kv::CacheSpec spec = *model.cache;
  std::erase_if(spec.layers, [](const kv::Layer& layer) { return layer.is_draft; });
  return spec;
}

TEST(PlanStreams, EveryModelsTableIsLaidOutInTheBytesOfItsBill) {
  constexpr int64_t kTokens = int64_t{1} << 20;
  for (const BuiltInModel& one : built_in_models()) {
    const CacheModel model = built_in_model(one.name).value();
    ASSERT_NE(model.cache, nullptr) << one.name;
    const kv::CacheLayout layout = kv::make_layout(without_drafts(model));
    EXPECT_EQ(layout.layer_count, model.layer_count) << one.name;
    // Kvasir's own: its tests are in deepseek_v4_test.cc.
    if (model.own != nullptr) continue;
    EXPECT_EQ(testing::row_bytes(model, kTokens, {.precision = "bf16"}),
              layout.block_bytes() * (kTokens / kv::kBlockTokens) + layout.window_bytes)
        << one.name;
  }
}

TEST(PlanStreams, GroupedHeadsAreKeysAndValues) {
  const CacheModel model = of_config(R"({"model_type": "llama", "num_hidden_layers": 2,
      "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8})");
  ASSERT_EQ(model.cache->layers.size(), 2U);
  const std::vector<kv::Stream>& streams = model.cache->layers[1].streams;
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].role, kv::Role::kKeys);
  EXPECT_EQ(streams[1].role, kv::Role::kValues);
  for (const kv::Stream& stream : streams) {
    EXPECT_EQ(stream.reach, kv::Reach::kAll);
    EXPECT_EQ(stream.vectors, 8);
    EXPECT_EQ(stream.width, 128);
  }
}

TEST(PlanStreams, AnIndexerMakesLatentsRowsThatArePicked) {
  const CacheModel model = of_config(R"({"model_type": "deepseek_v32", "num_hidden_layers": 2,
      "hidden_size": 64, "num_attention_heads": 4, "kv_lora_rank": 512, "qk_rope_head_dim": 64,
      "index_head_dim": 128, "index_n_heads": 4, "index_topk": 8, "num_nextn_predict_layers": 1})");
  ASSERT_EQ(model.cache->layers.size(), 3U);
  const kv::Layer& layer = model.cache->layers[0];
  ASSERT_EQ(layer.streams.size(), 2U);
  EXPECT_EQ(layer.streams[0].reach, kv::Reach::kPicked);
  EXPECT_EQ(layer.streams[0].width, 576);
  EXPECT_EQ(layer.streams[0].rope_width, 64);
  EXPECT_EQ(layer.streams[1].role, kv::Role::kIndexKeys);
  EXPECT_EQ(layer.streams[1].reach, kv::Reach::kAll);
  EXPECT_FALSE(layer.is_draft);
  EXPECT_TRUE(model.cache->layers[2].is_draft);
}

// The last two of five layers read the last one of their kind before them.
TEST(PlanStreams, SharedCachesNameTheLayerThatTheyRead) {
  const CacheModel model = of_config(R"({"model_type": "gemma3n_text", "num_hidden_layers": 5,
      "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
      "sliding_window": 32, "num_kv_shared_layers": 2,
      "layer_types": ["full_attention", "sliding_attention", "sliding_attention",
                      "full_attention", "sliding_attention"]})");
  ASSERT_EQ(model.cache->layers.size(), 5U);
  EXPECT_EQ(model.cache->layers[3].source_layer, 0);
  EXPECT_EQ(model.cache->layers[4].source_layer, 2);
  EXPECT_TRUE(model.cache->layers[4].streams.empty());
  EXPECT_EQ(model.cache->layers[1].streams[0].window_tokens, 32);
}

TEST(PlanStreams, RecurrentLayersKeepAStateAndNoRows) {
  const CacheModel model = of_config(R"({"model_type": "lfm2", "num_hidden_layers": 2,
      "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "conv_L_cache": 3,
      "layer_types": ["conv", "full_attention"]})");
  ASSERT_EQ(model.cache->layers.size(), 2U);
  EXPECT_TRUE(model.cache->layers[0].streams.empty());
  ASSERT_EQ(model.cache->layers[0].states.size(), 1U);
  EXPECT_EQ(model.cache->layers[0].states[0].values, 2 * 64);
  EXPECT_TRUE(model.cache->layers[1].states.empty());
}

}  // namespace
}  // namespace kvasir::plan
