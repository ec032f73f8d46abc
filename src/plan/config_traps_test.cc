// What configs say in ways that mislead: each of these has made some calculator wrong.
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::all_bytes;
using testing::built_in;
using testing::of_config;
using testing::refusal_of;
using testing::row_bytes;

constexpr int64_t kFar = int64_t{1} << 20;

int64_t bytes_per_token(std::string_view text) {
  const CacheModel model = of_config(text);
  return row_bytes(model, kFar) - row_bytes(model, kFar - 1);
}

TEST(ConfigTraps, HeadDimIsNotTheHiddenSizeByTheHeads) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "glm4_moe", "num_hidden_layers": 2,
      "hidden_size": 5120, "num_attention_heads": 96, "num_key_value_heads": 8,
      "head_dim": 128})"),
            2 * 2 * 8 * 128 * 2);
  // Without it the heads do not divide the hidden size: no guess.
  EXPECT_NE(refusal_of(R"({"model_type": "glm4_moe", "num_hidden_layers": 2,
      "hidden_size": 5120, "num_attention_heads": 96, "num_key_value_heads": 8})")
                .find("head_dim"),
            std::string::npos);
}

TEST(ConfigTraps, NestedTextConfigs) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "gemma3", "hidden_size": 1,
      "vision_config": {"model_type": "siglip", "num_hidden_layers": 27},
      "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 34, "hidden_size": 2560,
                      "sliding_window": 1024}})"),
            20'480);
  // A text model that leaves its own name out has that of the whole.
  EXPECT_EQ(bytes_per_token(R"({"model_type": "mistral", "text_config": {
      "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
      "head_dim": 64, "sliding_window": null}})"),
            2 * 2 * 64 * 2);
  // An empty one says nothing.
  EXPECT_EQ(bytes_per_token(R"({"model_type": "llama", "num_hidden_layers": 3,
      "hidden_size": 512, "num_attention_heads": 4, "text_config": {}})"),
            3 * 2 * 512 * 2);
}

TEST(ConfigTraps, AWindowThatIsNotUsed) {
  constexpr std::string_view kConfig = R"({"model_type": "qwen2", "num_hidden_layers": 4,
      "hidden_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2,
      "sliding_window": 4096, "max_window_layers": 1, "use_sliding_window": false})";
  EXPECT_EQ(bytes_per_token(kConfig), 4 * 2 * 2 * 128 * 2);
  EXPECT_FALSE(of_config(kConfig).notes.empty());
  std::string used(kConfig);
  used.replace(used.find("false"), 5, "true");
  EXPECT_EQ(bytes_per_token(used), 1 * 2 * 2 * 128 * 2);
  // Nor does a number of layers without windows make one.
  EXPECT_EQ(bytes_per_token(R"({"model_type": "llama", "num_hidden_layers": 4,
      "hidden_size": 512, "num_attention_heads": 4, "sliding_window": 4096})"),
            4 * 2 * 4 * 128 * 2);
}

TEST(ConfigTraps, ThreeWaysToNameTheMixOfLayers) {
  const std::string base = R"("num_hidden_layers": 4, "hidden_size": 512, "head_dim": 128,
      "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 128)";
  constexpr int64_t kLayer = 2 * 2 * 128 * 2;
  EXPECT_EQ(bytes_per_token("{\"model_type\": \"gemma3_text\", \"layer_types\": "
                            "[\"full_attention\", \"sliding_attention\", \"full_attention\", "
                            "\"full_attention\"], " +
                            base + "}"),
            3 * kLayer);
  EXPECT_EQ(bytes_per_token("{\"model_type\": \"gemma3_text\", \"sliding_window_pattern\": 2, " +
                            base + "}"),
            2 * kLayer);
  EXPECT_EQ(bytes_per_token("{\"model_type\": \"exaone4\", \"sliding_window_pattern\": \"LLLG\", " +
                            base + "}"),
            1 * kLayer);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "qwen3_next", "full_attention_interval": 2,
      "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
      "linear_value_head_dim": 8, "linear_conv_kernel_dim": 4, )" +
                            base + "}"),
            2 * kLayer);
}

TEST(ConfigTraps, DimsOfTheirOwnForEveryKindOfLayer) {
  const CacheModel gemma = of_config(R"({"model_type": "gemma4_text", "num_hidden_layers": 2,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "sliding_window": 100,
      "num_global_key_value_heads": 2, "global_head_dim": 128, "attention_k_eq_v": true,
      "layer_types": ["sliding_attention", "full_attention"]})");
  EXPECT_EQ(row_bytes(gemma, 1000), 100 * 2 * 4 * 64 * 2 + 1000 * 2 * 2 * 128 * 2);
  const CacheModel mimo = of_config(R"({"model_type": "mimo_v2_flash", "num_hidden_layers": 2,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 192, "v_head_dim": 128,
      "swa_num_key_value_heads": 8, "swa_head_dim": 192, "swa_v_head_dim": 128,
      "sliding_window": 128, "attention_chunk_size": 128, "hybrid_layer_pattern": [0, 1]})");
  EXPECT_EQ(row_bytes(mimo, 1000), (1000 * 4 + 128 * 8) * (192 + 128) * 2);
}

TEST(ConfigTraps, NoKvHeadsMeansAsManyAsHeads) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "llama", "num_hidden_layers": 2,
      "hidden_size": 512, "num_attention_heads": 4})"),
            2 * 2 * 512 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "gpt2", "n_layer": 2, "n_embd": 512,
      "n_head": 4})"),
            2 * 2 * 512 * 2);
}

TEST(ConfigTraps, LatentsHaveNoKvHeads) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "deepseek_v3", "num_hidden_layers": 2,
      "num_attention_heads": 128, "num_key_value_heads": 128, "kv_lora_rank": 512,
      "qk_rope_head_dim": 64, "v_head_dim": 128})"),
            2 * 576 * 2);
}

TEST(ConfigTraps, IndexersOfSomeLayersOnly) {
  const std::string base = R"({"model_type": "glm_moe_dsa", "num_hidden_layers": 8,
      "num_attention_heads": 4, "kv_lora_rank": 512, "qk_rope_head_dim": 64,
      "index_head_dim": 128, "index_n_heads": 32)";
  constexpr int64_t kLatents = 8 * 576 * 2;
  constexpr int64_t kKey = 128 * 2;
  EXPECT_EQ(bytes_per_token(base + "}"), kLatents + 8 * kKey);
  EXPECT_EQ(bytes_per_token(base + R"(, "index_topk_pattern": "FFFSSSFS"})"), kLatents + 4 * kKey);
  EXPECT_EQ(bytes_per_token(base + R"(, "index_topk_freq": 4, "index_skip_topk_offset": 3})"),
            kLatents + 4 * kKey);  // 0, 1, 2, 6
}

TEST(ConfigTraps, CompressRatiosAreLongerThanTheModel) {
  const CacheModel flash = built_in("deepseek-v4-flash");
  EXPECT_EQ(flash.layer_count, 43);
  for (const BillLine& line :
       testing::bill_of(flash, {.precision = "native"}, {.context_tokens = 128}).lines) {
    if (line.part == "raw windows") {
      EXPECT_EQ(line.layer_count, 43);
    }
  }
}

TEST(ConfigTraps, LayersThatReadAnothersCache) {
  const CacheModel gemma = of_config(R"({"model_type": "gemma3n_text", "num_hidden_layers": 10,
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "sliding_window": 512,
      "num_kv_shared_layers": 4})");
  EXPECT_EQ(row_bytes(gemma, 100), 100 * 6 * 2 * 2 * 256 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "hunyuan_v1_moe", "num_hidden_layers": 4,
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 128, "use_cla": true,
      "cla_share_factor": 2})"),
            2 * 2 * 2 * 128 * 2);
}

TEST(ConfigTraps, NullIsNoWindowAndSilenceIsTheReferences) {
  const std::string base = R"({"model_type": "mistral", "num_hidden_layers": 1,
      "hidden_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2)";
  EXPECT_EQ(bytes_per_token(base + R"(, "sliding_window": null})"), 2 * 2 * 128 * 2);
  EXPECT_EQ(bytes_per_token(base + "}"), 0);
  EXPECT_EQ(row_bytes(of_config(base + "}"), kFar), 4096 * 2 * 2 * 128 * 2);
}

TEST(ConfigTraps, SettingsOfSingleLayers) {
  const std::string base = R"({"model_type": "gemma4_text", "num_hidden_layers": 3,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "sliding_window": 100,
      "layer_types": ["sliding_attention", "sliding_attention", "full_attention"])";
  EXPECT_EQ(bytes_per_token(base + R"(, "per_layer_config": {"02": {"head_dim": 128}}})"),
            2 * 4 * 128 * 2);
  EXPECT_NE(refusal_of(base + R"(, "per_layer_config": {"02": {"magic": 1}}})").find("magic"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64,
      "num_attention_heads": 4, "num_key_value_heads": [2, "x"]})")
                .find("num_key_value_heads"),
            std::string::npos);
}

TEST(ConfigTraps, LayersThatAreOnlyListed) {
  EXPECT_EQ(of_config(R"({"model_type": "nemotron_h", "layers_block_type": ["mamba", "moe",
      "attention"], "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 128,
      "mamba_num_heads": 4, "mamba_head_dim": 64, "n_groups": 2, "ssm_state_size": 16,
      "conv_kernel": 4, "time_step_limit": [0.0, Infinity], "name": "Infinity \" NaN"})")
                .layer_count,
            3);
}

TEST(ConfigTraps, LatentsThatAreNotUsed) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "deepseek_v2", "num_hidden_layers": 2,
      "hidden_size": 1280, "num_attention_heads": 10, "num_key_value_heads": 10,
      "kv_lora_rank": null, "use_mla": false, "qk_rope_head_dim": 0})"),
            2 * 2 * 10 * 128 * 2);
}

TEST(ConfigTraps, KvHeadsOfEveryLayer) {
  EXPECT_EQ(bytes_per_token(R"({"model_type": "deci", "num_hidden_layers": 3, "hidden_size": 512,
      "num_attention_heads": 4, "num_key_value_heads_per_layer": [4, 2, 2]})"),
            (4 + 2 + 2) * 2 * 128 * 2);
}

TEST(ConfigTraps, TheFirstFilesOfAFamily) {
  // ChatGLM had no groups of heads, Falcon-40B no word for its new architecture.
  EXPECT_EQ(bytes_per_token(R"({"model_type": "chatglm", "num_layers": 2, "hidden_size": 512,
      "num_attention_heads": 4})"),
            2 * 2 * 512 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "chatglm", "num_layers": 2, "hidden_size": 512,
      "num_attention_heads": 4, "multi_query_attention": true, "multi_query_group_num": 2})"),
            2 * 2 * 2 * 128 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "RefinedWeb", "n_layer": 2, "hidden_size": 8192,
      "n_head": 128, "n_head_kv": 8})"),
            2 * 2 * 8 * 64 * 2);
}

TEST(ConfigTraps, OneHeadForAllQueries) {
  const std::string base = R"({"model_type": "falcon", "num_hidden_layers": 2,
      "hidden_size": 4544, "num_attention_heads": 71, "num_kv_heads": 71)";
  EXPECT_EQ(bytes_per_token(base + R"(, "multi_query": true})"), 2 * 2 * 64 * 2);
  EXPECT_EQ(bytes_per_token(base + R"(, "multi_query": false})"), 2 * 2 * 71 * 64 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "falcon", "num_hidden_layers": 2,
      "hidden_size": 8192, "num_attention_heads": 128, "num_kv_heads": 8,
      "new_decoder_architecture": true})"),
            2 * 2 * 8 * 64 * 2);
}

TEST(ConfigTraps, LayersWithoutAttention) {
  // M: a state, E and -: nothing, *: attention.
  const CacheModel model = of_config(R"({"model_type": "nemotron_h", "num_hidden_layers": 5,
      "hybrid_override_pattern": "ME*-M", "num_attention_heads": 8, "num_key_value_heads": 2,
      "head_dim": 128, "mamba_num_heads": 4, "mamba_head_dim": 64, "n_groups": 2,
      "ssm_state_size": 16, "conv_kernel": 4})");
  EXPECT_EQ(row_bytes(model, 10), 10 * 2 * 2 * 128 * 2);
  EXPECT_EQ(all_bytes(model, 0), 2 * (3 * (4 * 64 + 2 * 2 * 16) * 2 + 4 * 64 * 16 * 4));
  // Blocks of searched architectures: some have no attention at all.
  EXPECT_EQ(bytes_per_token(R"({"model_type": "nemotron-nas", "num_hidden_layers": 3,
      "hidden_size": 1024, "num_attention_heads": 8, "block_configs": [
        {"attention": {"n_heads_in_group": 4}}, {"attention": {"no_op": true}},
        {"attention": {"n_heads_in_group": 8}}]})"),
            (2 + 1) * 2 * 128 * 2);
  EXPECT_EQ(bytes_per_token(R"({"model_type": "nemotron-nas", "num_hidden_layers": 1,
      "hidden_size": 1024, "num_attention_heads": 8, "block_configs": [
        {"attention": {"n_heads_in_group": 8}}]})"),
            2 * 128 * 2);
}

TEST(ConfigTraps, WhatIsNotKnownIsSaidToBeUnknown) {
  EXPECT_NE(refusal_of(R"({"model_type": "t5", "num_layers": 6, "num_heads": 8})")
                .find("unknown architecture"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"num_hidden_layers": 6, "hidden_size": 8})").find("no model_type"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"model_type": "gemma3_text", "num_hidden_layers": 1,
      "layer_types": ["telepathic_attention"]})")
                .find("unknown kind of layer"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64,
      "num_attention_heads": 4, "layer_types": ["full_attention", "linear_attention"]})")
                .find("unknown kind of layer"),
            std::string::npos);
}

// A reader that does not know a kind of layer must not take it for nothing.
TEST(ConfigTraps, KindsThatAnArchitectureDoesNotHave) {
  EXPECT_NE(refusal_of(R"({"model_type": "deepseek_v3", "num_hidden_layers": 1,
      "kv_lora_rank": 512, "qk_rope_head_dim": 64, "layer_types": ["sliding_attention"]})")
                .find("unknown kind of layer"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"model_type": "mamba", "num_hidden_layers": 1, "hidden_size": 64,
      "conv_kernel": 4, "state_size": 16, "layer_types": ["full_attention"]})")
                .find("unknown kind of layer"),
            std::string::npos);
  const std::string base = R"({"model_type": "glm_moe_dsa", "num_hidden_layers": 2,
      "kv_lora_rank": 512, "qk_rope_head_dim": 64, "index_head_dim": 128)";
  EXPECT_NE(refusal_of(base + R"(, "indexer_types": ["full", "half"]})").find("indexer_types[1]"),
            std::string::npos);
  EXPECT_NE(refusal_of(base + R"(, "indexer_types": ["full"]})").find("indexer_types"),
            std::string::npos);
  EXPECT_EQ(bytes_per_token(base + R"(, "indexer_types": ["full", "shared", "full"]})"),
            2 * 576 * 2 + 128 * 2);
}

TEST(ConfigTraps, AbsurdFieldsAreRefused) {
  const std::string rest = R"(, "hidden_size": 512, "num_attention_heads": 4})";
  for (const char* layers : {"0", "-3", "1e9", "\"12\"", "99999999999"}) {
    EXPECT_NE(
        refusal_of(R"({"model_type": "llama", "num_hidden_layers": )" + std::string(layers) + rest)
            .find("num_hidden_layers"),
        std::string::npos)
        << layers;
  }
  EXPECT_NE(refusal_of(std::string((16 << 20) + 1, ' ')).find("too large"), std::string::npos);
  EXPECT_NE(refusal_of("[]"), "");
  EXPECT_NE(refusal_of("{"), "");
}

TEST(ConfigTraps, AClassNameIsEnough) {
  EXPECT_EQ(bytes_per_token(R"({"architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 2,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 128})"),
            2 * 2 * 4 * 128 * 2);
}

}  // namespace
}  // namespace kvasir::plan
