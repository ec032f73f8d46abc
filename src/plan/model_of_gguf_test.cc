// A GGUF file costs what the config of the same model costs.
#include <array>

#include "gguf_maker.h"
#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using kvasir::testing::GgufMaker;
using testing::all_bytes;
using testing::built_in;

CacheModel of_file(const GgufMaker& maker) {
  const std::vector<std::byte> file = maker.file();
  auto model = model_of_gguf(file, "model.gguf");
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? *model : CacheModel();
}

void expect_alike(const GgufMaker& maker, std::string_view name) {
  const CacheModel file = of_file(maker);
  const CacheModel known = built_in(name);
  EXPECT_EQ(file.layer_count, known.layer_count) << name;
  for (const int64_t tokens : {1, 1000, 5000, 100'000}) {
    for (const char* precision : {"bf16", "q8_0"}) {
      EXPECT_EQ(all_bytes(file, tokens, {.precision = precision}),
                all_bytes(known, tokens, {.precision = precision}))
          << name << " " << tokens << " " << precision;
    }
  }
}

GgufMaker plain(std::string_view architecture, uint32_t layers, uint32_t width, uint32_t heads,
                uint32_t kv_heads) {
  const std::string prefix = std::string(architecture) + ".";
  GgufMaker maker;
  maker.text("general.architecture", architecture)
      .number(prefix + "block_count", layers)
      .number(prefix + "embedding_length", width)
      .number(prefix + "attention.head_count", heads)
      .number(prefix + "attention.head_count_kv", kv_heads);
  return maker;
}

GgufMaker with_dims(GgufMaker maker, const std::string& architecture, uint32_t dim) {
  maker.number(architecture + ".attention.key_length", dim)
      .number(architecture + ".attention.value_length", dim);
  return maker;
}

GgufMaker indexed(const std::string& architecture, uint32_t layers, uint32_t context) {
  GgufMaker maker = plain(architecture, layers, 6144, 64, 1);
  return maker.number(architecture + ".context_length", context)
      .number(architecture + ".attention.kv_lora_rank", 512)
      .number(architecture + ".attention.key_length_mla", 192)
      .number(architecture + ".rope.dimension_count", 64)
      .number(architecture + ".attention.indexer.head_count", 32)
      .number(architecture + ".attention.indexer.key_length", 128)
      .number(architecture + ".attention.indexer.top_k", 2048);
}

TEST(ModelOfGguf, IndexersOfAllLayersOrOfThoseThatTheFileNames) {
  expect_alike(indexed("deepseek32", 61, 163'840), "deepseek-v3.2");
  expect_alike(indexed("glm-dsa", 78, 202'752), "glm-5");
  // So long a context without a word of it: the pattern of the first such model.
  expect_alike(indexed("glm-dsa", 78, 1 << 20), "glm-5.2");
  std::vector<bool> full(78);
  for (size_t layer = 0; layer < full.size(); ++layer) full[layer] = layer < 2 || layer % 4 == 2;
  GgufMaker said = indexed("glm-dsa", 78, 202'752);
  expect_alike(said.flags("glm-dsa.attention.indexer.types", full), "glm-5.2");
}

TEST(ModelOfGguf, PlainAttentionAndWindows) {
  expect_alike(plain("llama", 32, 4096, 32, 8), "llama-3.1-8b");
  expect_alike(with_dims(plain("qwen3moe", 48, 2048, 32, 4), "qwen3moe", 128), "qwen3-30b-a3b");
  GgufMaker gemma2 = with_dims(plain("gemma2", 42, 3584, 16, 8), "gemma2", 256);
  expect_alike(gemma2.number("gemma2.attention.sliding_window", 4096), "gemma-2-9b");
  GgufMaker gemma3 = with_dims(plain("gemma3", 62, 5376, 32, 16), "gemma3", 128);
  expect_alike(gemma3.number("gemma3.attention.sliding_window", 1024), "gemma-3-27b");
  GgufMaker oss = with_dims(plain("gpt-oss", 36, 2880, 64, 8), "gpt-oss", 64);
  expect_alike(oss.number("gpt-oss.attention.sliding_window", 128), "gpt-oss-120b");
  expect_alike(with_dims(plain("llama4", 48, 5120, 40, 8), "llama4", 128), "llama-4-scout");
}

TEST(ModelOfGguf, DraftLayersCountOnlyWhereTheirTensorsAre) {
  GgufMaker without = with_dims(plain("glm4moe", 46, 4096, 96, 8), "glm4moe", 128);
  const std::array<int64_t, 1> width = {4096};
  without.number("glm4moe.nextn_predict_layers", 1).tensor("output_norm.weight", width, 0);
  EXPECT_EQ(of_file(without).layer_count, 46);
  GgufMaker with = with_dims(plain("glm4moe", 47, 4096, 96, 8), "glm4moe", 128);
  const std::array<int64_t, 2> dims = {32, 32};
  with.number("glm4moe.nextn_predict_layers", 1).tensor("blk.46.nextn.eh_proj.weight", dims, 1);
  EXPECT_EQ(of_file(with).layer_count, 46);
  EXPECT_EQ(of_file(with).weight_bytes, 32 * 32 * 2);
  // Counted, but left out by whoever converted it.
  GgufMaker left_out = with_dims(plain("glm4moe", 47, 4096, 96, 8), "glm4moe", 128);
  left_out.number("glm4moe.nextn_predict_layers", 1).tensor("blk.45.attn_norm.weight", width, 0);
  EXPECT_EQ(of_file(left_out).layer_count, 46);
}

TEST(ModelOfGguf, WindowsWhereTheFileStatesThem) {
  for (const std::string architecture : {"llama", "olmo2", "phi3"}) {
    const GgufMaker whole = plain(architecture, 32, 4096, 32, 8);
    GgufMaker windowed = whole;
    windowed.number(architecture + ".attention.sliding_window", 2048);
    const int64_t full = all_bytes(of_file(whole), 8192);
    EXPECT_EQ(full, int64_t{32} * 8192 * 2 * 8 * 128 * 2) << architecture;
    // Olmo 3 has it in three of four layers.
    EXPECT_EQ(all_bytes(of_file(windowed), 8192),
              architecture == "olmo2" ? full * 7 / 16 : full / 4)
        << architecture;
  }
}

TEST(ModelOfGguf, LatentsWhateverFormTheirMatricesHave) {
  GgufMaker latent = plain("deepseek2", 61, 7168, 128, 1);
  latent.number("deepseek2.attention.kv_lora_rank", 512)
      .number("deepseek2.attention.key_length", 576)
      .number("deepseek2.attention.value_length", 512)
      .number("deepseek2.attention.key_length_mla", 192)
      .number("deepseek2.rope.dimension_count", 64);
  expect_alike(latent, "deepseek-v3");
  GgufMaker expanded = plain("deepseek2", 61, 7168, 128, 128);
  expanded.number("deepseek2.attention.kv_lora_rank", 512)
      .number("deepseek2.attention.key_length", 192)
      .number("deepseek2.attention.value_length", 128)
      .number("deepseek2.rope.dimension_count", 64);
  expect_alike(expanded, "deepseek-v3");
  EXPECT_FALSE(of_file(expanded).notes.empty());
}

TEST(ModelOfGguf, Hybrids) {
  std::vector<int32_t> kv_heads(64);
  for (size_t layer = 3; layer < kv_heads.size(); layer += 4) kv_heads[layer] = 4;
  GgufMaker qwen;
  qwen.text("general.architecture", "qwen35")
      .number("qwen35.block_count", 64)
      .number("qwen35.embedding_length", 5120)
      .number("qwen35.attention.head_count", 24)
      .numbers("qwen35.attention.head_count_kv", kv_heads)
      .number("qwen35.attention.key_length", 256)
      .number("qwen35.attention.value_length", 256)
      .number("qwen35.ssm.conv_kernel", 4)
      .number("qwen35.ssm.state_size", 128)
      .number("qwen35.ssm.group_count", 16)
      .number("qwen35.ssm.time_step_rank", 48)
      .number("qwen35.ssm.inner_size", 48 * 128);
  expect_alike(qwen, "qwen3.6-27b");
}

TEST(ModelOfGguf, DeepSeekV4AndItsTraps) {
  // The list is longer than the model, and drafts are announced without their tensors.
  std::vector<int32_t> ratios = {0, 0};
  for (int layer = 2; layer < 46; ++layer) ratios.push_back(layer % 2 == 0 ? 4 : 128);
  GgufMaker flash = plain("deepseek4", 43, 4096, 64, 1);
  flash.number("deepseek4.nextn_predict_layers", 1)
      .number("deepseek4.attention.key_length", 512)
      .number("deepseek4.attention.value_length", 512)
      .number("deepseek4.rope.dimension_count", 64)
      .number("deepseek4.attention.sliding_window", 128)
      .number("deepseek4.attention.indexer.head_count", 64)
      .number("deepseek4.attention.indexer.key_length", 128)
      .number("deepseek4.attention.indexer.top_k", 512)
      .numbers("deepseek4.attention.compress_ratios", ratios);
  expect_alike(flash, "deepseek-v4-flash");
  const CacheModel known = built_in("deepseek-v4-flash");
  EXPECT_EQ(all_bytes(of_file(flash), 1 << 20, {.precision = "native"}),
            all_bytes(known, 1 << 20, {.precision = "native"}));
}

TEST(ModelOfGguf, WhatIsNotKnownIsSaidToBeUnknown) {
  const auto refusal = [](const GgufMaker& maker) {
    const std::vector<std::byte> file = maker.file();
    const auto model = model_of_gguf(file, "model.gguf");
    return model.ok() ? "" : model.error().message();
  };
  EXPECT_NE(refusal(GgufMaker().text("general.architecture", "clip")).find("unknown architecture"),
            std::string::npos);
  EXPECT_NE(refusal(GgufMaker()).find("no general.architecture"), std::string::npos);
  EXPECT_NE(refusal(GgufMaker().text("general.architecture", "llama")).find("llama.block_count"),
            std::string::npos);
}

}  // namespace
}  // namespace kvasir::plan
