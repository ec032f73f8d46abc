// What a family sees of a model in GGUF files.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/config_fields.h"
#include "checkpoint/config_source.h"
#include "checkpoint/tensor_directory.h"
#include "checkpoint/tensor_reader.h"
#include "checkpoint/tensor_rows.h"
#include "gguf_maker.h"
#include "numeric/blocks/block_type.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;
using testing::GgufMaker;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kF16 = 1;
constexpr uint32_t kQ4K = 12;
constexpr uint32_t kI32 = 26;
constexpr uint32_t kNvfp4 = 40;
using Dims = std::vector<int64_t>;

constexpr TensorNaming kAsStored = {
    .official_name = [](std::string_view name) { return std::optional<std::string>(name); },
    .is_ignored = [](std::string_view name) { return name.starts_with("ignored"); }};

std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

class GgufSource : public ::testing::Test {
 protected:
  void write(const std::string& name, const GgufMaker& maker) {
    const std::vector<std::byte> bytes = maker.file();
    testing::write_file(directory_.file(name),
                        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  // One of three parts, with a tensor of its own.
  void write_part(uint32_t number, std::string_view tensor_name, uint32_t tensor_count = 3) {
    GgufMaker maker;
    if (number == 0) {
      maker.text("general.architecture", "some").number("split.tensors.count", tensor_count);
    }
    maker.number("split.no", number).number("split.count", 3);
    maker.filled_tensor(tensor_name, Dims{256, 2}, kQ4K);
    write(part(number), maker);
  }

  static std::string part(uint32_t number) {
    return "m-0000" + std::to_string(number + 1) + "-of-00003.gguf";
  }

  Result<TensorDirectory> open(const std::string& name = "m.gguf") {
    return TensorDirectory::open(directory_.file(name), kAsStored);
  }

  std::string failure_of(const std::string& name) {
    const auto tensors = open(name);
    return tensors.ok() ? "" : tensors.error().message();
  }

  testing::TempDirectory directory_;
};

std::vector<float> rows_of(const WeightMatrix& matrix) {
  std::vector<float> values(static_cast<size_t>(matrix.rows * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    kernels::decode_weight_row(matrix, row, values.data() + row * matrix.cols);
  }
  return values;
}

std::vector<float> rows_of(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(row_count(tensor.info) * row_items(tensor.info)));
  decode_rows(tensor.info, tensor.bytes(), 0, row_count(tensor.info), values.data());
  return values;
}

TEST_F(GgufSource, AnyPartOrTheFolderGivesTheWholeModel) {
  for (const uint32_t number : {0U, 1U, 2U}) write_part(number, "t" + std::to_string(number));
  for (const std::string& name : {part(0), part(1), part(2), std::string()}) {
    auto tensors = open(name);
    ASSERT_TRUE(tensors.ok()) << tensors.error().message();
    EXPECT_EQ(tensors->form(), CheckpointForm::kGguf);
    for (const char* tensor : {"t0", "t1", "t2"}) EXPECT_TRUE(tensors->has(tensor)) << tensor;
    const auto config = ConfigSource::open(directory_.file(name));
    ASSERT_TRUE(config.ok()) << config.error().message();
    EXPECT_EQ(config->form(), CheckpointForm::kGguf);
    EXPECT_EQ(*config->root().find("general.architecture")->as_string(), "some");
    EXPECT_EQ(config->where(), directory_.file(part(0)));
  }
}

TEST_F(GgufSource, KeysAreReadLikeTheFieldsOfAConfig) {
  const std::array<int32_t, 2> heads = {8, 4};
  const std::array<std::string, 2> words = {"a", "b"};
  GgufMaker maker;
  maker.text("general.architecture", "some")
      .number("some.block_count", 2)
      .raw<uint64_t>("some.context_length", 10, 4096)
      .numbers("some.attention.head_count", heads)
      .real("some.rope.freq_base", 10000.0F)
      .flags("some.pattern", {true, false})
      .texts("tokenizer.ggml.tokens", words);
  write("m.gguf", maker);
  const auto config = ConfigSource::open(directory_.file("m.gguf"));
  ASSERT_TRUE(config.ok()) << config.error().message();
  const Json section = config->section("some.");
  ConfigFields fields(section, config->where(), "some.");
  const int64_t layers = fields.integer({"block_count"}, 1, 1000);
  EXPECT_EQ(fields.integer({"context_length"}, 1, 1 << 20), 4096);
  EXPECT_EQ(fields.layer_integers({"attention.head_count"}, layers, 1, 64),
            (std::vector<int64_t>{8, 4}));
  EXPECT_EQ(fields.real({"rope.freq_base"}, 1, 1e9), 10000.0);
  EXPECT_EQ(fields.booleans({"pattern"}), (std::vector<bool>{true, false}));
  EXPECT_FALSE(fields.error());
  ConfigFields tokens(config->root(), config->where());
  EXPECT_EQ(tokens.texts({"tokenizer.ggml.tokens"}), (std::vector<std::string>{"a", "b"}));
  fields.integer({"embedding_length"}, 1, 10);
  ASSERT_TRUE(fields.error());
  EXPECT_NE(fields.error()->message().find("m.gguf: some.embedding_length"), std::string::npos);
}

TEST_F(GgufSource, PartsThatAreMissingOrStrangeAreSaid) {
  write_part(0, "t0");
  write_part(2, "t2");
  EXPECT_NE(failure_of(part(2)).find(part(1)), std::string::npos) << failure_of(part(2));
  write_part(1, "t0");
  EXPECT_NE(failure_of(part(0)).find("stored twice"), std::string::npos) << failure_of(part(0));
  write_part(1, "t1");
  write_part(0, "t0", 4);
  EXPECT_NE(failure_of(part(0)).find("4 tensors"), std::string::npos) << failure_of(part(0));
}

TEST_F(GgufSource, SafetensorsComeFirstInAFolderOfBoth) {
  write("m.gguf", GgufMaker().text("general.architecture", "some"));
  testing::write_file(directory_.file("config.json"), "{}");
  EXPECT_EQ(ConfigSource::open(directory_.path())->form(), CheckpointForm::kGguf);
  const std::string header = "{}      ";
  testing::write_file(directory_.file("model.safetensors"),
                      std::string("\x08\0\0\0\0\0\0\0", 8) + header);
  EXPECT_EQ(ConfigSource::open(directory_.path())->form(), CheckpointForm::kSafetensors);
  EXPECT_EQ(open("")->form(), CheckpointForm::kSafetensors);
}

TEST_F(GgufSource, AFolderOfNeitherSaysWhatItLacks) {
  EXPECT_NE(failure_of("").find("GGUF"), std::string::npos) << failure_of("");
  EXPECT_NE(ConfigSource::open(directory_.path()).error().message().find("config.json"),
            std::string::npos);
  write("a.gguf", GgufMaker());
  write("b.gguf", GgufMaker());
  EXPECT_NE(failure_of("").find("several models"), std::string::npos) << failure_of("");
}

TEST_F(GgufSource, PlainMatricesStayWhereTheyAre) {
  GgufMaker maker;
  maker.filled_tensor("w.weight", Dims{5, 7}, kF16);
  write("m.gguf", maker);
  auto tensors = open();
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  TensorReader reader(*tensors);
  WeightMatrix matrix;
  ASSERT_TRUE(reader.matrix("w", 7, 5, matrix).ok());
  ASSERT_TRUE(reader.finish().ok());
  EXPECT_EQ(matrix.format, WeightFormat::kF16);
  EXPECT_EQ(tensors->memory().placed_bytes(), 0);
  EXPECT_EQ(tensors->taken_bytes(), 70U);
  const StoredTensor& stored = *tensors->taken_by_name().front().second;
  EXPECT_EQ(matrix.data, stored.bytes().data());
  EXPECT_EQ(rows_of(matrix), rows_of(stored));
}

TEST_F(GgufSource, MatricesOfBlocksStayWhereTheyAre) {
  GgufMaker maker;
  for (const BlockType& type : block_types()) {
    if (type.block_items == 1) continue;
    maker.filled_tensor(std::string(type.name) + ".weight", Dims{256, 3}, type.gguf_id);
  }
  write("m.gguf", maker);
  auto tensors = open();
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  TensorReader reader(*tensors);
  std::map<std::string, WeightMatrix> matrices;
  for (const BlockType& type : block_types()) {
    if (type.block_items == 1) continue;
    const std::string name(type.name);
    ASSERT_TRUE(reader.matrix(name, 3, 256, matrices[name + ".weight"]).ok());
  }
  const Status finished = reader.finish();
  ASSERT_TRUE(finished.ok()) << finished.error().message();
  EXPECT_EQ(tensors->memory().placed_bytes(), 0);
  for (const auto& [name, stored] : tensors->taken_by_name()) {
    EXPECT_EQ(matrices[name].data, stored->bytes().data()) << name;
    const std::vector<float> all = rows_of(*stored);
    EXPECT_EQ(rows_of(matrices[name]), all) << name;
    const std::vector<float> last = rows_of(slice_rows(matrices[name], 2, 1));
    EXPECT_TRUE(std::ranges::equal(last, std::span(all).last(256))) << name;
  }
}

TEST_F(GgufSource, PlainMatricesAndStacksOfBlocksAreDecoded) {
  GgufMaker maker;
  maker.filled_tensor("w", Dims{256, 3}, kQ4K).filled_tensor("stack", Dims{256, 3, 2}, kQ4K);
  write("m.gguf", maker);
  auto tensors = open();
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  TensorReader reader(*tensors);
  WeightMatrix matrix;
  ASSERT_TRUE(reader.plain_matrix("w", 3, 256, matrix).ok());
  const auto stack = reader.plain_stack("stack", 2, 3, 256);
  ASSERT_TRUE(stack.ok());
  EXPECT_EQ(matrix.format, WeightFormat::kF32);
  EXPECT_EQ(stack->first.format, WeightFormat::kF32);
  constexpr int64_t kBytes = 9 * 256 * sizeof(float);
  EXPECT_EQ(reader.bytes_to_copy(), kBytes);
  EXPECT_EQ(tensors->memory().taken_bytes(), 0) << "nothing is read before all is known";
  ASSERT_TRUE(reader.finish().ok());
  EXPECT_EQ(reader.copied_bytes(), kBytes);
  for (const auto& [name, stored] : tensors->taken_by_name()) {
    const std::vector<float> all = rows_of(*stored);
    const WeightMatrix last = name == "w" ? matrix : stack->at(1);
    EXPECT_TRUE(std::ranges::equal(rows_of(last), std::span(all).last(3 * 256))) << name;
  }
}

TEST_F(GgufSource, RowsAreDecodedOneByOne) {
  GgufMaker maker;
  maker.filled_tensor("w", Dims{512, 3, 2}, kQ4K);
  write("m.gguf", maker);
  auto tensors = open();
  TensorReader reader(*tensors);
  const auto stored = reader.tensor("w", {2, 3, 512});
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_EQ(row_count((*stored)->info), 6);
  const std::vector<float> all = rows_of(**stored);
  std::vector<float> two(1024);
  for (int64_t row = 0; row + 2 <= 6; ++row) {
    decode_rows((*stored)->info, (*stored)->bytes(), row, 2, two.data());
    EXPECT_EQ(std::memcmp(two.data(), all.data() + 512 * row, 4096), 0) << row;
  }
}

TEST_F(GgufSource, StacksOfExpertsAndTheirFactors) {
  const std::vector<float> factors = {0.5F, 2.0F};
  GgufMaker maker;
  maker.filled_tensor("plain.weight", Dims{256, 3, 2}, kQ4K)
      .filled_tensor("scaled.weight", Dims{64, 3, 2}, kNvfp4)
      .tensor("scaled.scale", Dims{2}, kF32, bytes_of(factors))
      .filled_tensor("single.weight", Dims{256, 3, 1}, kQ4K);
  write("m.gguf", maker);
  auto tensors = open();
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  TensorReader reader(*tensors);
  const auto plain = reader.matrix_stack("plain", 2, 3, 256);
  const auto scaled = reader.matrix_stack("scaled", 2, 3, 64);
  const auto single = reader.matrix_stack("single", 1, 3, 256);
  ASSERT_TRUE(plain.ok() && scaled.ok() && single.ok());
  const Status finished = reader.finish();
  ASSERT_TRUE(finished.ok()) << finished.error().message();
  for (const auto& [name, stored] : tensors->taken_by_name()) {
    if (!name.ends_with(".weight")) continue;
    const std::vector<float> all = rows_of(*stored);
    const MatrixStack& stack = name == "plain.weight"    ? *plain
                               : name == "scaled.weight" ? *scaled
                                                         : *single;
    const auto items = static_cast<size_t>(stack.first.rows * stack.first.cols);
    for (size_t i = 0; i < all.size(); ++i) {
      const auto expert = static_cast<int64_t>(i / items);
      const float factor = name == "scaled.weight" ? factors[i / items] : 1.0F;
      ASSERT_EQ(rows_of(stack.at(expert))[i % items], all[i] * factor) << name << " " << i;
    }
  }
}

TEST_F(GgufSource, VectorsOfAnyTypeOfWeights) {
  const std::vector<float> norm = {1.0F, -2.0F, 0.5F};
  GgufMaker maker;
  maker.tensor("norm", Dims{3}, kF32, bytes_of(norm)).filled_tensor("bias", Dims{256}, kQ4K);
  write("m.gguf", maker);
  auto tensors = open();
  TensorReader reader(*tensors);
  std::vector<float> got_norm;
  std::vector<float> got_bias;
  ASSERT_TRUE(reader.vector("norm", {3}, got_norm).ok());
  ASSERT_TRUE(reader.vector("bias", {256}, got_bias).ok());
  ASSERT_TRUE(reader.finish().ok());
  EXPECT_EQ(got_norm, norm);
  EXPECT_EQ(got_bias.size(), 256U);
}

TEST_F(GgufSource, WrongShapesTypesAndValuesAreNamed) {
  std::vector<float> norm(300, 1.0F);
  norm[290] = std::numeric_limits<float>::infinity();
  GgufMaker maker;
  maker.tensor("norm", Dims{300}, kF32, bytes_of(norm))
      .filled_tensor("w.weight", Dims{256, 3}, kQ4K)
      .filled_tensor("table.weight", Dims{4, 4}, kI32)
      .filled_tensor("ignored", Dims{4}, kF32);
  write("m.gguf", maker);
  auto tensors = open();
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  TensorReader reader(*tensors);
  std::vector<float> values;
  WeightMatrix matrix;
  ASSERT_TRUE(reader.vector("norm", {300}, values).ok());
  const Status shape = reader.matrix("w", 256, 3, matrix);
  ASSERT_FALSE(shape.ok());
  EXPECT_NE(shape.error().message().find("expected [256, 3], found [3, 256]"), std::string::npos);
  const Status type = reader.matrix("table", 4, 4, matrix);
  ASSERT_FALSE(type.ok());
  EXPECT_NE(type.error().message().find("found I32"), std::string::npos);
  const Status value = reader.finish();
  ASSERT_FALSE(value.ok());
  const StoredTensor& stored = *tensors->taken_by_name().front().second;
  EXPECT_NE(value.error().message().find("unusable value"), std::string::npos);
  EXPECT_EQ(value.error().offset, stored.info.offset_bytes + 290 * 4);
}

TEST_F(GgufSource, LeftOverTensorsAreRefused) {
  GgufMaker maker;
  maker.filled_tensor("surplus", Dims{4}, kF32);
  write("m.gguf", maker);
  auto tensors = open();
  EXPECT_NE(TensorReader(*tensors).finish().error().message().find("m.gguf: surplus"),
            std::string::npos);
}

}  // namespace
}  // namespace kvasir
