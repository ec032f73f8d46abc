// What configs say of indexers, and what of it is refused.
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "model/decoder/config.h"
#include "model/decoder/gguf_config.h"

namespace kvasir::model::decoder {
namespace {

Json config_with(const std::string& type, const std::string& more) {
  return Json::parse(R"({"model_type": ")" + type +
                         R"(", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 8,
      "num_attention_heads": 4, "intermediate_size": 40, "kv_lora_rank": 24, "qk_nope_head_dim": 12,
      "qk_rope_head_dim": 8, "v_head_dim": 10, "n_routed_experts": 8, "num_experts_per_tok": 3,
      "moe_intermediate_size": 12)" +
                         more + "}",
                     "config.json")
      .value();
}

// F where a layer has an indexer, S where it shares; the error where the config is refused.
std::string indexers_of(const std::string& type, const std::string& more) {
  const auto config = read_config(config_with(type, more), "config.json");
  if (!config.ok()) return config.error().message();
  std::string letters;
  for (const LayerConfig& layer : config->layers) letters += layer.has_indexer ? 'F' : 'S';
  return letters;
}

TEST(IndexerConfig, EveryLayerHasOneUnlessTheConfigSharesThem) {
  EXPECT_EQ(indexers_of("deepseek_v32", ""), "FFFFFFFF");
  EXPECT_EQ(indexers_of("glm_moe_dsa", ""), "FFFFFFFF");
  EXPECT_EQ(indexers_of("deepseek_v3", ""), "SSSSSSSS");
  EXPECT_EQ(indexers_of("glm_moe_dsa", R"(, "index_topk_freq": 4, "index_skip_topk_offset": 3)"),
            "FFFSSSFS");
  EXPECT_EQ(indexers_of("glm_moe_dsa", R"(, "index_topk_freq": 4)"), "FFSSSFSS");
  EXPECT_EQ(indexers_of("glm_moe_dsa", R"(, "index_topk_pattern": "FSSFSSFS")"), "FSSFSSFS");
  // A list counts more than a distance, and may go on with draft layers.
  EXPECT_EQ(indexers_of("glm_moe_dsa", R"(, "index_topk_freq": 2, "indexer_types":
      ["full", "full", "shared", "full", "full", "full", "full", "full", "full"])"),
            "FFSFFFFF");
}

TEST(IndexerConfig, LeftOutFieldsAreThoseOfTheReference) {
  const auto v32 = read_config(config_with("deepseek_v32", ""), "config.json").value();
  EXPECT_EQ(v32.indexer.top_k, 2048);
  EXPECT_EQ(v32.indexer.head_count, 64);
  EXPECT_EQ(v32.indexer.head_dim, 128);
  EXPECT_EQ(v32.indexer.rope_pairs, ops::RopePairs::kHalves);
  EXPECT_EQ(v32.latent.query_rank, 1536);
  EXPECT_EQ(v32.experts.groups.group_count, 8);
  EXPECT_EQ(v32.experts.groups.groups_used, 4);
  const auto glm = read_config(config_with("glm_moe_dsa", ""), "config.json").value();
  EXPECT_EQ(glm.indexer.head_count, 32);
  EXPECT_EQ(glm.indexer.rope_pairs, ops::RopePairs::kAdjacent);
  EXPECT_EQ(glm.latent.query_rank, 2048);
  EXPECT_EQ(glm.experts.groups.group_count, 1);
  EXPECT_EQ(glm.norm_eps, 1e-5);
  EXPECT_EQ(glm.experts.scale, 2.5);
}

TEST(IndexerConfig, MlpTypesCountMoreThanTheFirstDenseLayers) {
  const auto config = read_config(config_with("glm_moe_dsa", R"(, "mlp_layer_types":
      ["sparse", "dense", "sparse", "dense", "dense", "sparse", "sparse", "dense"])"),
                                  "config.json")
                          .value();
  EXPECT_TRUE(config.layers[0].has_experts);
  EXPECT_FALSE(config.layers[7].has_experts);
}

TEST(IndexerConfig, WhatIsNotSupportedIsRefusedByName) {
  struct Refusal {
    const char* more;
    const char* field;
  };
  constexpr Refusal kRefusals[] = {
      {R"(, "scoring_func": "softmax")", "scoring_func"},
      {R"(, "topk_method": "greedy")", "topk_method"},
      {R"(, "moe_layer_freq": 2)", "moe_layer_freq"},
      {R"(, "attention_bias": true)", "attention_bias"},
      {R"(, "mlp_bias": true)", "mlp_bias"},
      {R"(, "rope_interleave": false)", "rope_interleave"},
      {R"(, "q_lora_rank": null)", "q_lora_rank"},
      {R"(, "index_head_dim": 6)", "index_head_dim"},
      {R"(, "index_topk": 0)", "index_topk"},
      {R"(, "index_topk": 99999999999)", "index_topk"},
      {R"(, "index_n_heads": -1)", "index_n_heads"},
      {R"(, "layer_types": ["indexed_attention", "full_attention"])", "layer_types"},
      {R"(, "mlp_layer_types": ["dense"])", "mlp_layer_types"},
      {R"(, "mlp_layer_types": "dense")", "mlp_layer_types"},
  };
  for (const char* type : {"deepseek_v32", "glm_moe_dsa"}) {
    for (const Refusal& refusal : kRefusals) {
      EXPECT_NE(indexers_of(type, refusal.more).find(refusal.field), std::string::npos)
          << type << refusal.more << ": " << indexers_of(type, refusal.more);
    }
  }
  for (const char* more :
       {R"(, "indexer_types": ["full"])", R"(, "index_topk_pattern": "FS")",
        R"(, "index_topk_pattern": "FFFFFFFX")", R"(, "indexer_rope_interleave": false)",
        R"(, "index_topk_pattern": "SFFFFFFF")",
        R"(, "indexer_types": [1, 2, 3, 4, 5, 6, 7, 8])"}) {
    EXPECT_NE(indexers_of("glm_moe_dsa", more).find("index"), std::string::npos)
        << more << ": " << indexers_of("glm_moe_dsa", more);
  }
  EXPECT_NE(indexers_of("deepseek_v32", R"(, "indexer_rope_interleave": true)")
                .find("indexer_rope_interleave"),
            std::string::npos);
}

Json gguf_keys(const std::string& name, const std::string& more) {
  const auto key = [&](const char* rest, int64_t value) {
    return ", \"" + name + "." + rest + "\": " + std::to_string(value);
  };
  return Json::parse(R"({"general.architecture": ")" + name + "\"" + key("vocab_size", 96) +
                         key("block_count", 8) + key("embedding_length", 32) +
                         key("feed_forward_length", 40) + key("attention.head_count", 4) +
                         key("attention.q_lora_rank", 16) + key("attention.kv_lora_rank", 24) +
                         key("attention.key_length_mla", 20) +
                         key("attention.value_length_mla", 10) + key("rope.dimension_count", 8) +
                         key("expert_count", 8) + key("expert_used_count", 3) +
                         key("expert_feed_forward_length", 12) + more + "}",
                     "model.gguf")
      .value();
}

std::string gguf_indexers_of(const std::string& name, const std::string& more) {
  const auto config = read_gguf_config(gguf_keys(name, more), "model.gguf");
  if (!config.ok()) return config.error().message();
  std::string letters;
  for (const LayerConfig& layer : config->layers) letters += layer.has_indexer ? 'F' : 'S';
  return letters;
}

TEST(IndexerConfig, GgufFilesNameTheLayersOrAreOfAModelThatIsKnown) {
  EXPECT_EQ(gguf_indexers_of("deepseek32", R"(, "deepseek32.expert_gating_func": 2)"), "FFFFFFFF");
  EXPECT_EQ(gguf_indexers_of("glm-dsa", ""), "FFFFFFFF");
  EXPECT_EQ(gguf_indexers_of("glm-dsa", R"(, "glm-dsa.context_length": 1048576)"), "FFFSSSFS");
  EXPECT_EQ(gguf_indexers_of("glm-dsa", R"(, "glm-dsa.context_length": 1048576,
      "glm-dsa.attention.indexer.types": [true, false, true, true, true, true, true, true])"),
            "FSFFFFFF");
  // Counted among the layers, but not in the list.
  EXPECT_EQ(gguf_indexers_of("glm-dsa", R"(, "glm-dsa.nextn_predict_layers": 1,
      "glm-dsa.attention.indexer.types": [1, 0, 1, 1, 1, 1, 1])"),
            "FSFFFFFS");
  EXPECT_NE(gguf_indexers_of("deepseek32", "").find("scoring_func"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::model::decoder
