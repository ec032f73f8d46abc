// The formats that checkpoints ask their caches to be held in.
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::of_config;
using testing::row_bytes;

constexpr int64_t kValues = 2 * 2 * 4 * 64;  // of a token

CacheModel asking(const std::string& members) {
  return of_config(R"({"model_type": "llama", "num_hidden_layers": 2, "head_dim": 64,
      "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 4096, )" +
                   members + "}");
}
int64_t native_row(const CacheModel& model) { return row_bytes(model, 1, {.precision = "native"}); }
std::string scheme(const std::string& members) {
  return R"("quantization_config": {"quant_method": "compressed-tensors", "kv_cache_scheme": {)" +
         members + "}}";
}

TEST(CacheFormat, EightBitsHoweverTheyAreAskedFor) {
  for (const std::string& asked : {
           scheme(R"("num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": false)"),
           scheme(R"("num_bits": 8, "type": "int", "strategy": "channel")"),
           std::string(R"("compression_config": {"kv_cache_scheme": {"num_bits": 8,
                          "type": "float"}})"),
           std::string(R"("quantization_config": {"quant_method": "fp8",
                          "kv_cache_scheme": "static"})"),
           std::string(R"("quantization_config": {"quant_method": "modelopt",
                          "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"})"),
           std::string(R"("quantization": {"kv_cache_quant_algo": "INT8"})"),
           std::string(R"("quantization_config": {"quant_method": "quark",
                          "export": {"kv_cache_group": ["*k_proj"]},
                          "layer_quant_config": {"*k_proj": {
                            "output_tensors": {"dtype": "fp8_e4m3"}}}})"),
       }) {
    const CacheModel model = asking(asked);
    EXPECT_EQ(native_row(model), kValues) << asked;
    EXPECT_EQ(model.notes.size(), 1U) << asked;
    EXPECT_EQ(row_bytes(model, 1, {.precision = "bf16"}), 2 * kValues) << asked;
  }
}

TEST(CacheFormat, ScalesAreCountedWhereTheyLieInTheCache) {
  EXPECT_EQ(native_row(asking(scheme(R"("num_bits": 8, "type": "float", "strategy": "token")"))),
            kValues + 2 * 2 * 4 * 4);
  EXPECT_EQ(native_row(asking(R"("quantization_config": {"kv_cache_quant_algo": "NVFP4"})")),
            kValues / 16 * 9);
  EXPECT_EQ(native_row(asking(scheme(R"("num_bits": 4, "type": "float", "strategy": "tensor_group",
                                        "group_size": 16)"))),
            kValues / 16 * 9);
}

TEST(CacheFormat, WhatIsNotKnownIsSaidAndWhatIsNotAskedForIsNot) {
  const CacheModel odd = asking(scheme(R"("num_bits": 3, "type": "int", "strategy": "token")"));
  EXPECT_EQ(native_row(odd), 2 * kValues);
  ASSERT_EQ(odd.notes.size(), 1U);
  EXPECT_NE(odd.notes.front().find("not known"), std::string::npos);
  for (const std::string none : {R"("quantization_config": {"kv_cache_scheme": null})",
                                 R"("quantization_config": {"kv_cache_quant_algo": "NO_QUANT"})",
                                 R"("quantization_config": {"kv_cache_dtype": "auto"})",
                                 R"("quantization_config": {"quant_method": "fp8"})"}) {
    const CacheModel model = asking(none);
    EXPECT_EQ(native_row(model), 2 * kValues) << none;
    EXPECT_TRUE(model.notes.empty()) << none;
  }
}

// It may stand beside the whole or in the text model; latents are held so too.
TEST(CacheFormat, OfWrappedModelsAndLatents) {
  const std::string eight = scheme(R"("num_bits": 8, "type": "float")");
  const std::string inner = R"("model_type": "deepseek_v3", "num_hidden_layers": 1,
      "kv_lora_rank": 512, "qk_rope_head_dim": 64)";
  EXPECT_EQ(native_row(of_config("{" + eight + R"(, "model_type": "kimi_k25", "text_config": {)" +
                                 inner + "}}")),
            576);
  EXPECT_EQ(native_row(of_config(R"({"model_type": "kimi_k25", "text_config": {)" + inner + ", " +
                                 eight + "}}")),
            576);
}

}  // namespace
}  // namespace kvasir::plan
