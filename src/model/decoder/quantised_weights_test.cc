// Quantised checkpoints, made from the golden ones with codes and scales of our own: what their
// matrices decode to, and how bad ones are refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>

#include "checkpoint/code_forms.h"
#include "golden_checkpoint.h"
#include "model/decoder/geometry.h"
#include "model/decoder/test_support.h"
#include "numeric/bf16.h"
#include "numeric/f16.h"
#include "numeric/fp8.h"
#include "temp_directory.h"

namespace kvasir::model::decoder {
namespace {

using testing::golden_folder;
using testing::read_golden;
using testing::TinyTensor;
using Stored = testing::StoredCheckpoint;

Result<Checkpoint> open_stored(const Stored& stored, int shard_count = 1) {
  return testing::open_written(stored, shard_count, open_checkpoint);
}

// How the matrices of a checkpoint are stored.
struct Form {
  const char* config;  // quantization_config
  ScaleTile tile;
  std::string scale_type = "F32";
  std::string scale_name = "_scale";
  std::vector<int64_t> scale_shape = {};  // instead of [row tiles, column tiles]
  bool is_int8 = false;
};

// Of compressed-tensors; `strategy` goes on inside the weights' object.
std::string compressed(const std::string& strategy, const std::string& type = "float") {
  return R"({"quant_method": "compressed-tensors", "format": ")" + type +
         R"(-quantized", "ignore": ["lm_head", "re:.*gate$"], "config_groups": {"group_0":
            {"targets": ["Linear"], "weights": {"num_bits": 8, "type": ")" +
         type + R"(", "symmetric": true, "strategy": )" + strategy + "}}}}";
}

class Scales {
 public:
  explicit Scales(std::string type) : type_(std::move(type)) {}

  // Appends a number as it is stored, and returns what that stands for.
  float add(float value, std::vector<std::byte>& bytes) const {
    if (type_ == "F32") return append(value, value, bytes);
    if (type_ == "BF16") {
      const uint16_t half = bf16_encode(value);
      return append(half, bf16_decode(half), bytes);
    }
    if (type_ == "F16") {
      const uint16_t half = f16_encode(value);
      return append(half, f16_decode(half), bytes);
    }
    const auto code = static_cast<uint8_t>(120 + static_cast<int>(value * 1000) % 8);
    return append(code, ue8m0_decode(code), bytes);
  }

 private:
  template <class T>
  static float append(T stored, float value, std::vector<std::byte>& bytes) {
    bytes.resize(bytes.size() + sizeof stored);
    std::memcpy(bytes.data() + bytes.size() - sizeof stored, &stored, sizeof stored);
    return value;
  }

  std::string type_;
};

bool is_linear(const TinyTensor& tensor) {
  const std::string& name = tensor.name;
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  return tensor.shape.size() == 2 && name.ends_with(".weight") && !has("mlp.gate.") &&
         !has("moe.gate.") && !has("router") && !has("expert_gate.") && !has("embed") &&
         !has("lm_head");
}

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Turns a matrix into random codes; returns its scales, and its numbers to `plain`.
TinyTensor quantise(const Form& form, std::mt19937& random, TinyTensor& tensor, TinyTensor& plain) {
  const int64_t rows = tensor.shape[0];
  const int64_t cols = tensor.shape[1];
  const int64_t tile_rows = form.tile.rows == 0 ? rows : form.tile.rows;
  const int64_t tile_cols = form.tile.cols == 0 ? cols : form.tile.cols;
  const int64_t col_tiles = (cols + tile_cols - 1) / tile_cols;
  const int64_t row_tiles = (rows + tile_rows - 1) / tile_rows;
  TinyTensor scale{tensor.name + form.scale_name, form.scale_type, {row_tiles, col_tiles}, {}};
  if (form.tile == ScaleTile{0, 0}) scale.shape = form.scale_shape;
  std::vector<float> scales;
  for (int64_t i = 0; i < row_tiles * col_tiles; ++i) {
    const float value = 0.001f * static_cast<float>(1 + random() % 99);
    scales.push_back(Scales(form.scale_type).add(value, scale.data));
  }
  tensor.dtype = form.is_int8 ? "I8" : "F8_E4M3";
  tensor.data.clear();
  std::vector<float> numbers;
  for (int64_t i = 0; i < rows * cols; ++i) {
    auto code = static_cast<uint8_t>(random());
    if (!form.is_int8 && (code & 0x7f) == 0x7f) code ^= 1;
    tensor.data.push_back(std::byte{code});
    const float value =
        form.is_int8 ? static_cast<float>(static_cast<int8_t>(code)) : fp8_decode(code);
    const int64_t tile = i / cols / tile_rows * col_tiles + i % cols / tile_cols;
    numbers.push_back(value * scales[static_cast<size_t>(tile)]);
  }
  plain = {tensor.name, "F32", tensor.shape, bytes_of(numbers)};
  return scale;
}

struct Pair {
  Stored quantised;
  Stored plain;
};

Pair make(std::string_view golden, const Form& form) {
  Pair pair{read_golden(golden), read_golden(golden)};
  if (form.config != nullptr) pair.quantised.set("quantization_config", form.config);
  std::mt19937 random(7);
  std::vector<TinyTensor> scales;
  for (size_t i = 0; i < pair.plain.tensors.size(); ++i) {
    TinyTensor& tensor = pair.quantised.tensors[i];
    if (is_linear(tensor)) {
      scales.push_back(quantise(form, random, tensor, pair.plain.tensors[i]));
    }
  }
  pair.quantised.tensors.insert(pair.quantised.tensors.end(), scales.begin(), scales.end());
  return pair;
}

void expect_same_numbers(const Pair& pair, int shard_count = 1) {
  const auto quantised = open_stored(pair.quantised, shard_count);
  const auto plain = open_stored(pair.plain);
  ASSERT_TRUE(quantised.ok()) << quantised.error().message();
  ASSERT_TRUE(plain.ok()) << plain.error().message();
  EXPECT_TRUE(numbers_of(quantised->weights()) == numbers_of(plain->weights()));
}

constexpr const char* kNoBlocks = R"({"quant_method": "fp8", "weight_block_size": null})";
constexpr const char* kSquares = R"({"quant_method": "fp8", "weight_block_size": [128, 128]})";
constexpr const char* kRows = R"({"quant_method": "fbgemm_fp8"})";

TEST(QuantisedWeights, EveryFormIsCodeTimesScale) {
  const std::string tensor = compressed(R"("tensor")");
  const std::string channel = compressed(R"("channel")");
  const std::string block = compressed(R"("block", "block_structure": [16, 32])");
  const std::string group = compressed(R"("group", "group_size": 16)");
  const std::string int8 = compressed(R"("channel")", "int");
  const Form forms[] = {
      {kNoBlocks, {0, 0}, "F32", "_scale_inv"},
      {kNoBlocks, {0, 0}, "BF16", "_scale_inv", {1}},
      {kSquares, {128, 128}, "F32", "_scale_inv"},
      {kSquares, {128, 128}, "BF16", "_scale_inv"},
      {kSquares, {128, 128}, "F8_E8M0", "_scale_inv"},
      {R"({"quant_method": "fp8", "weight_block_size": [8, 16]})", {8, 16}, "F32", "_scale_inv"},
      {R"({"quant_method": "fp8", "weight_block_size": [32, 32]})", {32, 32}, "F8_E8M0"},
      {R"({"quant_method": "fp8", "weight_block_size": [3, 256]})", {3, 256}, "F16"},
      {R"({"quant_method": "fp8", "activation_scheme": "static"})", {0, 0}, "F32", "_scale", {1}},
      {R"({"quant_method": "fp8"})", {128, 128}, "F32", "_scale_inv"},
      {nullptr, {128, 128}, "F32", "_scale_inv"},
      {kRows, {1, 0}},
      {kRows, {1, 0}, "BF16"},
      {tensor.c_str(), {0, 0}, "BF16", "_scale", {1}},
      {channel.c_str(), {1, 0}, "BF16"},
      {block.c_str(), {16, 32}, "F32"},
      {group.c_str(), {1, 16}, "F16"},
      {int8.c_str(), {1, 0}, "F32", "_scale", {}, true},
      {int8.c_str(), {1, 0}, "BF16", "_scale", {}, true},
      {R"({"quant_method": "modelopt", "quant_algo": "FP8"})", {0, 0}, "F32"},
  };
  for (const Form& form : forms) {
    SCOPED_TRACE(std::string(form.config == nullptr ? "no config" : form.config) + " " +
                 form.scale_type);
    expect_same_numbers(make("llama", form));
  }
}

// Fused, cut by groups of heads, tied, with experts, with latents: rows find their scales.
TEST(QuantisedWeights, EveryArchitectureFindsItsScales) {
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    const std::string name = entry.path().filename();
    const bool is_quantised = name.find("fp8") != std::string::npos ||
                              name.find("int8") != std::string::npos ||
                              name.find("mxfp4") != std::string::npos;
    if (is_quantised || name == "gpt2") continue;
    SCOPED_TRACE(name);
    expect_same_numbers(make(name, {kRows, {1, 0}}));
    expect_same_numbers(
        make(name, {R"({"quant_method": "fp8", "weight_block_size": [5, 16]})", {5, 16}}), 3);
  }
}

TEST(QuantisedWeights, AFileBesideTheConfigCounts) {
  const Pair pair = make("llama", {nullptr, {1, 0}});
  const testing::TempDirectory directory;
  testing::write_checkpoint(directory.path(), pair.quantised.config, pair.quantised.tensors);
  EXPECT_FALSE(open_checkpoint(directory.path()).ok());
  testing::write_file(directory.file("hf_quant_config.json"), std::string_view(R"({
      "producer": {"name": "modelopt"},
      "quantization": {"quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"}})"));
  const auto checkpoint = open_checkpoint(directory.path());
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message();
}

TEST(QuantisedWeights, WhatIsMeasuredBesideTheWeightsIsLeftOut) {
  Pair pair = make("llama", {kRows, {1, 0}});
  const TinyTensor number{"", "F32", {1}, bytes_of({0.5f})};
  for (const char* name :
       {"self_attn.q_proj.input_scale", "self_attn.k_proj.input_scale_ub", "self_attn.k_scale",
        "self_attn.v_proj.v_scale", "mlp.up_proj.weight_zero_point",
        "self_attn.o_proj.output_scale", "mlp.down_proj.activation_scale"}) {
    TinyTensor& added = pair.quantised.tensors.emplace_back(number);
    added.name = std::string("model.layers.1.") + name;
  }
  expect_same_numbers(pair);
}

// Tensors alone do not tell tiles of 2 rows from tiles of 3.
TEST(QuantisedWeights, TilesArePartOfTheFingerprint) {
  constexpr const char* kOfThirty = R"({"quant_method": "fp8", "weight_block_size": [30, 64]})";
  Pair pair = make("llama", {kOfThirty, {30, 64}});
  const auto first = open_stored(pair.quantised);
  pair.quantised.set("quantization_config",
                     R"({"quant_method": "fp8", "weight_block_size": [31, 64]})");
  const auto second = open_stored(pair.quantised);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first->fingerprint() == second->fingerprint());
}

struct Damage {
  std::function<void(Stored&)> apply;
  std::vector<std::string> message;
};

void expect_refused(std::string_view golden, const Form& form, const Damage& damage) {
  Stored stored = make(golden, form).quantised;
  damage.apply(stored);
  const auto checkpoint = open_stored(stored);
  ASSERT_FALSE(checkpoint.ok()) << damage.message[0];
  const std::string message = checkpoint.error().message();
  EXPECT_EQ(message.find('\n'), std::string::npos);
  for (const std::string& part : damage.message) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

void set_scale(TinyTensor& scale, size_t index, float value) {
  std::memcpy(scale.data.data() + index * sizeof value, &value, sizeof value);
}

TEST(QuantisedWeights, BadScalesAndCodesAreNamed) {
  const std::string up = "model.layers.1.mlp.up_proj.weight";
  const std::string scale = up + "_scale";
  const auto with_scale = [&](float value) {
    return [=](Stored& s) { set_scale(s.tensor(scale), 39, value); };
  };
  const Damage cases[] = {
      {[&](Stored& s) { s.drop(scale); }, {"no scale", up, "mlp.up_proj.scale"}},
      {[&](Stored& s) { s.drop(up); }, {"missing", "mlp.up_proj.weight"}},
      {with_scale(0.0f), {"unusable value", scale, "none of them 0", "found 0"}},
      {with_scale(-0.0f), {"unusable value", scale, "none of them 0"}},
      {with_scale(NAN), {"unusable value", scale, "finite scales", "nan"}},
      {with_scale(INFINITY), {"unusable value", scale, "finite scales", "inf"}},
      {[&](Stored& s) { s.tensor(up).data[77] = std::byte{0x7f}; },
       {"unusable value", up, "E4M3 codes of numbers", "NaN"}},
      {[&](Stored& s) { s.tensor(up).data[78] = std::byte{0xff}; }, {"unusable value", up, "NaN"}},
      {[&](Stored& s) {
         s.tensor(scale).shape = {20, 1};
         s.tensor(scale).data.resize(80);
       },
       {"wrong shape", scale, "expected [40, 1]", "found [20, 1]"}},
      {[&](Stored& s) {
         s.tensor(scale).shape = {};
         s.tensor(scale).data.resize(4);
       },
       {"wrong shape", scale, "expected [40, 1]", "found []"}},
      {[&](Stored& s) { s.tensor(scale).dtype = "I32"; },
       {"wrong type", scale, "F32, BF16, F16 or F8_E8M0", "I32"}},
      {[&](Stored& s) { s.tensor(up).dtype = "F8_E5M2"; }, {"wrong type", up, "F8_E5M2"}},
      {[&](Stored& s) { s.tensor(up).dtype = "I8"; }, {"wrong shape", up}},
      {[&](Stored& s) {
         TinyTensor again = s.tensor(scale);
         again.name += "_inv";
         s.tensors.push_back(again);
       },
       {"stored twice", scale + "_inv"}},
      {[&](Stored& s) {
         TinyTensor& plain = s.tensor(up);
         plain = {up, "BF16", plain.shape, std::vector<std::byte>(2 * plain.data.size())};
       },
       {"does not belong", scale}},
  };
  for (const Damage& damage : cases) expect_refused("llama", {kRows, {1, 0}}, damage);
}

// Whether native is E4M3: where its scales are there, under any of their names.
bool holds_e4m3(Stored stored) {
  const auto checkpoint = open_stored(stored);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const auto native = cache_spec(checkpoint->config(), "native");
  EXPECT_TRUE(cache_spec(checkpoint->config(), "bf16").ok());
  return native.ok() && native->layers[0].streams[0].codec == kernels::CodecId::kE4m3 &&
         native->layers[1].streams[1].codec == kernels::CodecId::kE4m3;
}

TEST(QuantisedWeights, AFixedCacheNeedsItsScales) {
  const Stored golden = read_golden("llama_fp8_cache");
  const std::string at = "model.layers.1.self_attn.";
  EXPECT_TRUE(holds_e4m3(golden));
  for (const char* name : {"v_proj.v_scale", "v_proj.output_scale"}) {
    Stored renamed = golden;
    renamed.tensor(at + "v_scale").name = at + name;
    EXPECT_TRUE(holds_e4m3(renamed)) << name;
  }
  Stored without = golden;
  without.drop(at + "v_scale");
  EXPECT_FALSE(holds_e4m3(without));
  Stored by_head = golden;
  by_head.tensor(at + "k_scale").shape = {2};
  by_head.tensor(at + "k_scale").data.resize(8, std::byte{0x3c});
  EXPECT_FALSE(holds_e4m3(by_head));
  Stored in_integers = golden;
  in_integers.set("quantization_config", R"({"quant_method": "fp8", "kv_cache_scheme":
      {"num_bits": 8, "type": "int", "strategy": "tensor"}})");
  EXPECT_FALSE(holds_e4m3(in_integers));
  Stored not_asked = golden;
  not_asked.set("quantization_config", R"({"quant_method": "fp8"})");
  EXPECT_FALSE(holds_e4m3(not_asked));
  for (const float bad : {0.0f, NAN}) {
    Stored broken = golden;
    set_scale(broken.tensor(at + "k_scale"), 0, bad);
    const auto checkpoint = open_stored(broken);
    ASSERT_FALSE(checkpoint.ok());
    EXPECT_NE(checkpoint.error().message().find(at + "k_scale"), std::string::npos);
  }
}

TEST(QuantisedWeights, Mxfp4ExpertsNeedAllTheirParts) {
  const std::string at = "model.layers.0.mlp.experts.";
  const Damage cases[] = {
      {[&](Stored& s) { s.drop(at + "gate_up_proj_scales"); }, {"no scale", "gate_up_proj_blocks"}},
      {[&](Stored& s) { s.drop(at + "down_proj_blocks"); }, {"missing", "down_proj_blocks"}},
      {[&](Stored& s) { s.drop(at + "gate_up_proj_bias"); }, {"missing", "gate_up_proj_bias"}},
      {[&](Stored& s) { s.tensor(at + "down_proj_scales").data[3] = std::byte{255}; },
       {"unusable value", "down_proj_scales", "NaN"}},
      {[&](Stored& s) {
         s.tensor(at + "down_proj_scales").shape = {6, 1, 32};
       },
       {"wrong shape", "down_proj_scales", "[6, 32, 1]", "[6, 1, 32]"}},
      {[&](Stored& s) {
         s.tensor(at + "down_proj_blocks").shape = {6, 32, 16};
       },
       {"wrong shape", "down_proj_blocks", "[6, 32, 1, 16]", "[6, 32, 16]"}},
      {[&](Stored& s) {
         TinyTensor& scales = s.tensor(at + "down_proj_scales");
         scales.dtype = "F32";
         scales.data.resize(4 * scales.data.size());
       },
       {"wrong type", "down_proj_scales", "F8_E8M0"}},
  };
  for (const Damage& damage : cases) {
    Stored stored = read_golden("gpt_oss_mxfp4");
    damage.apply(stored);
    const auto checkpoint = open_stored(stored);
    ASSERT_FALSE(checkpoint.ok()) << damage.message[1];
    for (const std::string& part : damage.message) {
      const std::string message = checkpoint.error().message();
      EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
    }
  }
}

// Rows of gate and up lie in turn; they are not copied.
TEST(QuantisedWeights, Mxfp4ExpertsAreMultipliedWhereTheyLie) {
  const auto checkpoint = open_stored(read_golden("gpt_oss_mxfp4"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const ops::Mlp& expert = checkpoint->weights().layers[1].experts.experts[5];
  EXPECT_EQ(expert.gate.format, kernels::WeightFormat::kFp4ScaleE8m0);
  EXPECT_EQ(expert.gate.row_step, 2);
  EXPECT_EQ(expert.up.data, expert.gate.data + 16);
  EXPECT_EQ(expert.up.rows, 32);
}

}  // namespace
}  // namespace kvasir::model::decoder
