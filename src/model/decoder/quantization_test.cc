// What configs say of quantised weights and caches.
#include "model/decoder/quantization.h"

#include <gtest/gtest.h>

#include "model/decoder/geometry.h"

namespace kvasir::model::decoder {
namespace {

Result<Quantization> read(const std::string& members) {
  const auto root = Json::parse("{" + members + "}", "a test");
  EXPECT_TRUE(root.ok()) << members;
  return read_quantization(*root, "config.json");
}

std::string config(const std::string& members) {
  return R"("quantization_config": {)" + members + "}";
}

std::string group(const std::string& weights) {
  return config(R"("quant_method": "compressed-tensors", "config_groups": {"group_0": {
      "targets": ["Linear"], "weights": {)" +
                weights + "}}}");
}

TEST(Quantization, WhatIsNotReadIsRefusedByName) {
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {config(R"("quant_method": "gptq", "bits": 4)"),
       {"quantization_config.quant_method", "compressed-tensors", "gptq"}},
      {config(R"("quant_method": "awq")"), {"quant_method", "awq"}},
      {config(R"("quant_method": "bitsandbytes", "load_in_8bit": true)"), {"bitsandbytes"}},
      {config(R"("quant_method": "quark")"), {"quark"}},
      {config(R"("quant_method": "fp8", "fmt": "e5m2")"), {"quantization_config.fmt", "e5m2"}},
      {config(R"("quant_method": "fp8", "weight_block_size": [128])"), {"weight_block_size"}},
      {config(R"("quant_method": "fp8", "weight_block_size": [128, 48])"),
       {"weight_block_size", "multiple of 128", "[128,48]"}},
      {config(R"("quant_method": "fp8", "weight_block_size": [0, 128])"), {"weight_block_size"}},
      {config(R"("quant_method": "modelopt", "quant_algo": "NVFP4")"), {"quant_algo", "NVFP4"}},
      {R"("quantization": {"quant_algo": "W4A8_AWQ"})", {"quantization.quant_algo", "W4A8_AWQ"}},
      {config(R"("quant_method": "compressed-tensors", "format": "pack-quantized")"),
       {"quantization_config.format", "float-quantized", "pack-quantized"}},
      {config(R"("quant_method": "compressed-tensors", "config_groups": {"g": {
           "format": "nvfp4-pack-quantized", "weights": {"num_bits": 8, "type": "float"}}})"),
       {"config_groups.g.format", "nvfp4-pack-quantized"}},
      {group(R"("num_bits": 4, "type": "int", "strategy": "channel")"), {"weights.num_bits", "4"}},
      {group(R"("num_bits": 8, "type": "float", "strategy": "diagonal")"),
       {"config_groups.group_0.weights.strategy", "tensor, channel, block or group", "diagonal"}},
      {group(R"("num_bits": 8, "type": "int", "strategy": "channel", "symmetric": false)"),
       {"weights.symmetric", "false"}},
      {group(R"("num_bits": 8, "type": "float", "strategy": "block")"), {"block_structure"}},
      {group(R"("num_bits": 8, "type": "float", "strategy": "group", "group_size": 20)"),
       {"group_size", "20"}},
      {config(R"("quant_method": "compressed-tensors", "sparsity_config": {
           "format": "sparse-24-bitmask"})"),
       {"sparsity_config"}},
      {config(R"("quant_method": "compressed-tensors", "transform_config": {
           "config_groups": {"u": {}}})"),
       {"transform_config"}},
  };
  for (const auto& [members, parts] : cases) {
    const auto found = read(members);
    ASSERT_FALSE(found.ok()) << members;
    EXPECT_EQ(found.error().message().find('\n'), std::string::npos);
    for (const std::string& part : parts) {
      EXPECT_NE(found.error().message().find(part), std::string::npos)
          << part << " in: " << found.error().message();
    }
  }
}

TEST(Quantization, GroupsOfSeveralKindsAreAllRead) {
  const auto two = read(config(R"("quant_method": "compressed-tensors", "format":
      "mixed-precision", "config_groups": {
      "a": {"targets": ["re:.*experts.*"], "format": "float-quantized", "weights": {"num_bits": 8,
            "type": "float", "strategy": "block", "block_structure": "128x128"}},
      "b": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int",
            "strategy": "channel"}}})"));
  ASSERT_TRUE(two.ok()) << two.error().message();
  EXPECT_EQ(two->codes.tiles, (std::vector<ScaleTile>{{128, 128}, {1, 0}}));
  EXPECT_TRUE(two->codes.has_int8);
}

TEST(Quantization, TheConfigOfAWrappedTextModelCounts) {
  for (const char* members :
       {R"("text_config": {"model_type": "llama", "quantization_config": {"quant_method":
            "fbgemm_fp8"}})",
        R"("text_config": {"model_type": "llama"}, "compression_config": {"quant_method":
            "fbgemm_fp8"})"}) {
    const auto found = read(members);
    ASSERT_TRUE(found.ok()) << found.error().message();
    EXPECT_EQ(found->codes.tiles, (std::vector<ScaleTile>{{1, 0}})) << members;
  }
}

// The planner counts bytes of that format as native; here nothing else is passed off as it.
TEST(Quantization, ACacheThatIsFixedIsNotHeldAsNative) {
  Config model{.hidden_size = 64,
               .layer_count = 1,
               .head_count = 2,
               .kv_head_count = 2,
               .head_dim = 32,
               .value_dim = 32,
               .layers = {LayerConfig{}}};
  for (const char* members :
       {R"("quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type":
            "float", "strategy": "tensor", "dynamic": false})",
        R"("quant_method": "fp8", "kv_cache_scheme": "static")",
        R"("quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8")"}) {
    const auto found = read(config(members));
    ASSERT_TRUE(found.ok()) << found.error().message();
    model.fixed_cache = found->fixed_cache;
    const auto native = cache_spec(model, "native");
    ASSERT_FALSE(native.ok()) << members;
    EXPECT_NE(native.error().message().find("bf16, f16 or f32"), std::string::npos)
        << native.error().message();
    EXPECT_TRUE(cache_spec(model, "bf16").ok());
    EXPECT_TRUE(cache_spec(model, "f16").ok());
  }
  model.fixed_cache =
      read(config(R"("quant_method": "fp8", "kv_cache_scheme": null)"))->fixed_cache;
  EXPECT_TRUE(cache_spec(model, "native").ok());
}

}  // namespace
}  // namespace kvasir::model::decoder
