// Checkpoints that must load, and that every view shows the bytes it should.
#include "model/deepseek_v4/test_support.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <map>

#include "checkpoint_maker.h"
#include "numeric/bf16.h"
#include "numeric/f16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"
#include "temp_directory.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;
using testing::NameForm;
using testing::TempDirectory;
using testing::TinyModelSpec;
using testing::TinyTensor;

std::string golden(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/" + name;
}

Result<Checkpoint> write_and_open(const TinyModelSpec& spec) {
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), spec);
  return open_checkpoint(directory.path());  // the mappings outlive the files' names
}

std::vector<float> decoded(const WeightMatrix& matrix) {
  std::vector<float> values(static_cast<size_t>(matrix.rows * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    kernels::decode_weight_row(matrix, row, values.data() + row * matrix.cols);
  }
  return values;
}

// Every matrix and vector of a model by official name, decoded.
class Flattened {
 public:
  explicit Flattened(const Weights& weights) {
    add("embed.weight", weights.embedding);
    add("head.weight", weights.output);
    parts["norm.weight"] = weights.norm;
    add_hyper("hc_head_", weights.head_hyper);
    for (size_t layer = 0; layer < weights.layers.size(); ++layer) {
      add_layer("layers." + std::to_string(layer) + ".", weights.layers[layer]);
    }
  }

  std::map<std::string, std::vector<float>> parts;

 private:
  void add(const std::string& name, const WeightMatrix& matrix) { parts[name] = decoded(matrix); }

  void add_hyper(const std::string& at, const HyperWeights& hyper) {
    add(at + "fn", hyper.fn);
    parts[at + "base"] = hyper.base;
    parts[at + "scale"] = hyper.scale;
  }

  void add_layer(const std::string& at, const LayerWeights& layer) {
    add_hyper(at + "hc_attn_", layer.attention_hyper);
    add_hyper(at + "hc_ffn_", layer.moe_hyper);
    parts[at + "attn_norm.weight"] = layer.attention_norm;
    parts[at + "ffn_norm.weight"] = layer.moe_norm;
    add_attention(at + "attn.", layer.attention);
    add_moe(at + "ffn.", layer.moe);
  }

  void add_attention(const std::string& at, const AttentionWeights& attention) {
    add(at + "wq_a.weight", attention.query_a);
    add(at + "wq_b.weight", attention.query_b);
    add(at + "wkv.weight", attention.row);
    add(at + "wo_b.weight", attention.output_b);
    std::vector<float>& output_a = parts[at + "wo_a.weight"];
    for (const WeightMatrix& slice : attention.output_a) {
      const std::vector<float> values = decoded(slice);
      output_a.insert(output_a.end(), values.begin(), values.end());
    }
    parts[at + "q_norm.weight"] = attention.query_norm;
    parts[at + "kv_norm.weight"] = attention.row_norm;
    parts[at + "attn_sink"] = attention.sinks;
    if (attention.compressor.values.rows > 0) add_compressor(at, attention.compressor);
    if (attention.indexer.query.rows == 0) return;
    add(at + "indexer.wq_b.weight", attention.indexer.query);
    add(at + "indexer.weights_proj.weight", attention.indexer.head_weights);
    add_compressor(at + "indexer.", attention.indexer.compressor);
  }

  void add_compressor(const std::string& at, const CompressorWeights& compressor) {
    add(at + "compressor.wkv.weight", compressor.values);
    add(at + "compressor.wgate.weight", compressor.gates);
    parts[at + "compressor.ape"] = compressor.position_bias;
    parts[at + "compressor.norm.weight"] = compressor.norm;
  }

  void add_moe(const std::string& at, const MoeWeights& moe) {
    add(at + "gate.weight", moe.router);
    if (!moe.router_bias.empty()) parts[at + "gate.bias"] = moe.router_bias;
    for (size_t expert = 0; expert < moe.experts.size(); ++expert) {
      add_expert(at + "experts." + std::to_string(expert) + ".", moe.experts[expert]);
    }
    add_expert(at + "shared_experts.", moe.shared);
  }

  void add_expert(const std::string& at, const ExpertWeights& expert) {
    add(at + "w1.weight", expert.gate);
    add(at + "w3.weight", expert.up);
    add(at + "w2.weight", expert.down);
  }
};

using Tensors = std::map<std::string, TinyTensor>;

Tensors by_name(const TinyModelSpec& spec) {
  Tensors tensors;
  for (TinyTensor& tensor : testing::tiny_tensors(spec)) tensors.emplace(tensor.name, tensor);
  return tensors;
}

// Entry [row, col] of matrix `index` of a stored tensor, straight from the format's description.
float stored_value(const TinyTensor& tensor, const TinyTensor* scale, int64_t index, int64_t row,
                   int64_t col) {
  const auto byte = [](const TinyTensor& from, int64_t at) {
    return static_cast<uint32_t>(from.data[static_cast<size_t>(at)]);
  };
  const int64_t rows = tensor.shape[tensor.shape.size() - 2];
  const int64_t stored_cols = tensor.shape.back();
  const int64_t first = (index * rows + row) * stored_cols;
  const auto half = [&] {
    return static_cast<uint16_t>(byte(tensor, 2 * (first + col)) |
                                 byte(tensor, 2 * (first + col) + 1) << 8);
  };
  if (tensor.dtype == "BF16") return bf16_decode(half());
  if (tensor.dtype == "F16") return f16_decode(half());
  float value = 0;
  if (tensor.dtype == "F32") {
    std::memcpy(&value, tensor.data.data() + 4 * (first + col), 4);
    return value;
  }
  const bool is_fp4 = tensor.dtype == "I8";
  const int64_t tile_rows = is_fp4 ? 1 : 128;
  const int64_t tile_cols = is_fp4 ? 32 : 128;
  const int64_t scale_rows = scale->shape[scale->shape.size() - 2];
  const int64_t scale_at =
      (index * scale_rows + row / tile_rows) * scale->shape.back() + col / tile_cols;
  float factor = 0;
  if (scale->dtype == "F32") {
    std::memcpy(&factor, scale->data.data() + 4 * scale_at, 4);
  } else {
    factor = ue8m0_decode(static_cast<uint8_t>(byte(*scale, scale_at)));
  }
  if (!is_fp4) return fp8_decode(static_cast<uint8_t>(byte(tensor, first + col))) * factor;
  const uint32_t pair = byte(tensor, first + col / 2);
  return fp4_decode(static_cast<uint8_t>(col % 2 == 0 ? pair & 15 : pair >> 4)) * factor;
}

void expect_stored(const WeightMatrix& view, const Tensors& tensors, const std::string& name,
                   const std::string& scale_name, int64_t index = 0, int64_t first_row = 0) {
  SCOPED_TRACE(name + " " + std::to_string(index));
  const TinyTensor& tensor = tensors.at(name);
  const auto scale = tensors.find(scale_name);
  std::vector<float> row_values(static_cast<size_t>(view.cols));
  for (int64_t row = 0; row < view.rows; ++row) {
    kernels::decode_weight_row(view, row, row_values.data());
    for (int64_t col = 0; col < view.cols; ++col) {
      const float stored = stored_value(tensor, scale == tensors.end() ? nullptr : &scale->second,
                                        index, first_row + row, col);
      ASSERT_EQ(row_values[static_cast<size_t>(col)], stored) << "row " << row << " col " << col;
    }
  }
}

// Sizes that are no multiples of tiles, so that slices begin inside them.
TinyModelSpec uneven_spec() {
  TinyModelSpec spec;
  spec.hidden_size = 160;
  spec.expert_width = 192;
  spec.head_dim = 96;
  spec.output_rank = 96;
  spec.expert_count = 3;
  spec.compress_ratios = {0, 4};
  return spec;
}

TEST(Weights, GoldenCheckpointsLoad) {
  for (const char* name : {"tiny-bf16", "tiny-mixed"}) {
    const auto checkpoint = open_checkpoint(golden(name));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->config().vocab_size, 320);
    EXPECT_EQ(checkpoint->weights().layers.size(), name[5] == 'b' ? 6u : 4u);
  }
}

TEST(Weights, GoldenMixedCheckpointKeepsStoredFormats) {
  const auto checkpoint = open_checkpoint(golden("tiny-mixed"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const LayerWeights& layer = checkpoint->weights().layers[1];
  EXPECT_EQ(checkpoint->weights().embedding.format, WeightFormat::kBf16);
  EXPECT_EQ(layer.attention.query_a.format, WeightFormat::kFp8ScaleE8m0);
  EXPECT_EQ(layer.attention.compressor.values.format, WeightFormat::kBf16);
  EXPECT_EQ(layer.moe.experts[3].down.format, WeightFormat::kFp4ScaleE8m0);
  EXPECT_EQ(layer.moe.shared.down.format, WeightFormat::kFp8ScaleE8m0);
  EXPECT_EQ(layer.attention_hyper.fn.format, WeightFormat::kF32);
}

TEST(Weights, FilesOfTransformersLoadAndAgree) {
  const auto saved = open_checkpoint(golden("transformers-saved"));
  ASSERT_TRUE(saved.ok()) << saved.error().message();
  const auto runtime = open_checkpoint(golden("transformers-runtime"));
  ASSERT_TRUE(runtime.ok()) << runtime.error().message();
  EXPECT_EQ(Flattened(saved->weights()).parts, Flattened(runtime->weights()).parts);
  EXPECT_EQ(saved->weight_bytes(), runtime->weight_bytes());
  EXPECT_TRUE(saved->config().compressed_rope.has_yarn);
  const HashTable& table = saved->weights().layers[0].moe.hash_table;
  const HashTable& same = runtime->weights().layers[0].moe.hash_table;
  for (int64_t token = 0; token < 24; ++token) {
    EXPECT_EQ(table.expert(token, 1), same.expert(token, 1));
  }
}

TEST(Weights, EverySpellingGivesTheSameModel) {
  TinyModelSpec spec;
  const auto official = write_and_open(spec);
  ASSERT_TRUE(official.ok()) << official.error().message();
  const auto expected = Flattened(official->weights()).parts;
  for (const NameForm form : {NameForm::kModelPrefix, NameForm::kRuntime, NameForm::kSaved}) {
    for (const int shard_count : {1, 3}) {
      spec.names = form;
      spec.shard_count = shard_count;
      const auto checkpoint = write_and_open(spec);
      ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
      EXPECT_EQ(Flattened(checkpoint->weights()).parts, expected);
      EXPECT_EQ(checkpoint->weight_bytes(), official->weight_bytes());
    }
  }
}

TEST(Weights, TensorsLandWhereTheirNamesSay) {
  const TinyModelSpec spec;
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const auto parts = Flattened(checkpoint->weights()).parts;
  const Tensors tensors = by_name(spec);
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("tid2eid")) continue;
    ASSERT_EQ(parts.count(name), 1u) << name;
    const std::vector<float>& values = parts.at(name);
    const size_t step = tensor.dtype == "F32" ? 4 : 2;
    ASSERT_EQ(values.size(), tensor.data.size() / step) << name;
    for (size_t i = 0; i < values.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, tensor.data.data() + i * step, step);
      if (step == 2) bits <<= 16;
      ASSERT_EQ(values[i], std::bit_cast<float>(bits)) << name << " " << i;
    }
  }
  EXPECT_EQ(parts.size() + 1, tensors.size());
}

class WeightsByFormat : public ::testing::TestWithParam<WeightFormat> {};

TEST_P(WeightsByFormat, ViewsDecodeToTheStoredValues) {
  TinyModelSpec spec = uneven_spec();
  spec.dense = GetParam();
  spec.experts = GetParam();
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const Tensors tensors = by_name(spec);
  const LayerWeights& layer = checkpoint->weights().layers[1];
  const auto expect = [&](const WeightMatrix& view, const std::string& stem, int64_t first_row) {
    EXPECT_EQ(view.format, GetParam());
    expect_stored(view, tensors, stem + ".weight", stem + ".scale", 0, first_row);
  };
  expect(checkpoint->weights().embedding, "embed", 0);
  expect(checkpoint->weights().output, "head", 0);
  expect(layer.attention.query_b, "layers.1.attn.wq_b", 0);
  for (int64_t group = 0; group < spec.output_group_count; ++group) {
    expect(layer.attention.output_a[static_cast<size_t>(group)], "layers.1.attn.wo_a",
           group * spec.output_rank);
  }
  expect(layer.attention.compressor.gates, "layers.1.attn.compressor.wgate", 0);
  expect(layer.attention.indexer.query, "layers.1.attn.indexer.wq_b", 0);
  expect(layer.moe.router, "layers.1.ffn.gate", 0);
  expect(layer.moe.experts[2].up, "layers.1.ffn.experts.2.w3", 0);
  expect(layer.moe.shared.down, "layers.1.ffn.shared_experts.w2", 0);
}

TEST_P(WeightsByFormat, FusedExpertsAreCutApart) {
  TinyModelSpec spec = uneven_spec();
  spec.names = NameForm::kRuntime;
  spec.experts = GetParam();
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const Tensors tensors = by_name(spec);
  for (int64_t layer = 0; layer < 2; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".mlp.experts.";
    const std::string gate_up = at + "gate_up_proj";
    const auto& experts = checkpoint->weights().layers[static_cast<size_t>(layer)].moe.experts;
    ASSERT_EQ(experts.size(), 3u);
    for (int64_t index = 0; index < 3; ++index) {
      const ExpertWeights& expert = experts[static_cast<size_t>(index)];
      expect_stored(expert.gate, tensors, gate_up, gate_up + "_scale_inv", index);
      expect_stored(expert.up, tensors, gate_up, gate_up + "_scale_inv", index, spec.expert_width);
      expect_stored(expert.down, tensors, at + "down_proj", at + "down_proj_scale_inv", index);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllFormats, WeightsByFormat,
                         ::testing::Values(WeightFormat::kF32, WeightFormat::kF16,
                                           WeightFormat::kBf16, WeightFormat::kFp8ScaleE8m0,
                                           WeightFormat::kFp8ScaleF32,
                                           WeightFormat::kFp4ScaleE8m0));

TEST(Weights, VectorsOfEveryTypeAreDecoded) {
  TinyModelSpec spec;
  const auto exact = write_and_open(spec);
  ASSERT_TRUE(exact.ok()) << exact.error().message();
  for (const WeightFormat format : {WeightFormat::kBf16, WeightFormat::kF16}) {
    spec.vectors = format;
    const auto rounded = write_and_open(spec);
    ASSERT_TRUE(rounded.ok()) << rounded.error().message();
    const auto& a = exact->weights().layers[1].attention.compressor;
    const auto& b = rounded->weights().layers[1].attention.compressor;
    ASSERT_EQ(a.position_bias.size(), b.position_bias.size());
    for (size_t i = 0; i < a.position_bias.size(); ++i) {
      EXPECT_NEAR(a.position_bias[i], b.position_bias[i], 0.002f);
    }
    EXPECT_EQ(rounded->weights().head_hyper.fn.format, format);
  }
}

TEST(Weights, HashTablesOfBothWidthsAgree) {
  TinyModelSpec spec;
  const auto wide = write_and_open(spec);
  spec.hash_table_is_64_bit = false;
  const auto narrow = write_and_open(spec);
  ASSERT_TRUE(wide.ok() && narrow.ok());
  const HashTable& a = wide->weights().layers[0].moe.hash_table;
  const HashTable& b = narrow->weights().layers[0].moe.hash_table;
  EXPECT_TRUE(a.is_64_bit);
  EXPECT_FALSE(b.is_64_bit);
  for (int64_t token = 0; token < spec.vocab_size; ++token) {
    for (int64_t slot = 0; slot < spec.experts_per_token; ++slot) {
      EXPECT_EQ(a.expert(token, slot), b.expert(token, slot));
      EXPECT_LT(a.expert(token, slot), spec.expert_count);
    }
  }
  EXPECT_EQ(wide->weights().layers[1].moe.hash_table.data, nullptr);
  EXPECT_TRUE(wide->weights().layers[0].moe.router_bias.empty());
  EXPECT_EQ(wide->weights().layers[1].moe.router_bias.size(), 4u);
}

TEST(Weights, ModelsWithoutHashLayersAndWithOnlyThemLoad) {
  TinyModelSpec spec;
  for (const int64_t count : {0, 4}) {
    spec.hash_layer_count = count;
    const auto checkpoint = write_and_open(spec);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->config().hash_layer_count, count);
  }
}

TEST(Weights, EveryPatternOfLayersLoads) {
  for (const std::vector<int64_t>& ratios :
       {std::vector<int64_t>{0}, {4}, {128}, {128, 128, 4, 128, 4}, {0, 0, 0}}) {
    TinyModelSpec spec;
    spec.compress_ratios = ratios;
    for (const NameForm form : {NameForm::kOfficial, NameForm::kRuntime}) {
      spec.names = form;
      const auto checkpoint = write_and_open(spec);
      ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
    }
  }
}

TEST(Weights, SharedExpertsAreOneWideExpert) {
  TinyModelSpec spec;
  spec.shared_expert_count = 3;
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->weights().layers[0].moe.shared.gate.rows, 3 * spec.expert_width);
  EXPECT_EQ(checkpoint->weights().layers[0].moe.experts[0].gate.rows, spec.expert_width);
}

TEST(Weights, TiedModelsUseTheEmbedding) {
  TinyModelSpec spec;
  spec.is_tied = true;
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->weights().output.data, checkpoint->weights().embedding.data);
}

TEST(Weights, TiedModelsUseAStoredHead) {
  TinyModelSpec spec;
  const std::vector<TinyTensor> tensors = testing::tiny_tensors(spec);
  spec.is_tied = true;
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
  const auto checkpoint = open_checkpoint(directory.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  EXPECT_NE(checkpoint->weights().output.data, checkpoint->weights().embedding.data);
}

TEST(Weights, PartsOutsideTheBodyAreIgnored) {
  const TinyModelSpec spec;
  std::vector<TinyTensor> tensors = testing::tiny_tensors(spec);
  const size_t body_count = tensors.size();
  for (const char* name :
       {"mtp.0.attn.wq_a.weight", "mtp.2.markov_head.markov_w1.weight", "model.mtp.0.norm.weight",
        "vision.blocks.0.weight", "aligner.weight", "image_newline",
        "model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.main_inv_freq"}) {
    tensors.push_back({name, "F64", {1}, std::vector<std::byte>(8)});
  }
  tensors.push_back({"mtp.0.oddity", "F3_E1M1", {8}, std::vector<std::byte>(3)});
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
  const auto checkpoint = open_checkpoint(directory.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  uint64_t body_bytes = 0;
  for (size_t i = 0; i < body_count; ++i) body_bytes += tensors[i].data.size();
  EXPECT_EQ(checkpoint->weight_bytes(), body_bytes);
}

TEST(Weights, TheSingleFileCountsWhenBothExist) {
  TinyModelSpec spec;
  TempDirectory directory;
  spec.shard_count = 2;
  testing::write_checkpoint(directory.path(), spec);
  spec.shard_count = 1;
  spec.seed = 2;
  testing::write_checkpoint(directory.path(), spec);
  const auto checkpoint = open_checkpoint(directory.path() + "/");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const auto expected = write_and_open(spec);
  EXPECT_EQ(Flattened(checkpoint->weights()).parts, Flattened(expected->weights()).parts);
}

// As many tensors as Flash has, none of them large. Published files hold 67,612 for the body; 365
// of those are scales of FP8 matrices, which this one does not have.
TEST(Weights, ADirectoryOfFlashSizeLoads) {
  TinyModelSpec spec;
  spec.hidden_size = 32;
  spec.query_rank = 32;
  spec.expert_width = 32;
  spec.vocab_size = 16;
  spec.head_count = 2;
  spec.head_dim = 32;
  spec.rope_dim = 8;
  spec.expert_count = 256;
  spec.hash_layer_count = 3;
  spec.experts = WeightFormat::kFp4ScaleE8m0;
  spec.compress_ratios = {0, 0};
  for (int layer = 2; layer < 43; ++layer) spec.compress_ratios.push_back(layer % 2 == 0 ? 4 : 128);
  spec.shard_count = 8;
  EXPECT_EQ(testing::tiny_tensors(spec).size(), 67612u - 365u);
  const auto checkpoint = write_and_open(spec);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->weights().layers[42].moe.experts.size(), 256u);
}

TEST(Weights, ViewsSurviveAMove) {
  auto checkpoint = write_and_open(TinyModelSpec());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  const auto before = Flattened(checkpoint->weights()).parts;
  const Checkpoint moved = std::move(*checkpoint);
  EXPECT_EQ(Flattened(moved.weights()).parts, before);
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
