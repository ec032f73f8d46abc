#include "checkpoint/gguf_tensors.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "gguf_maker.h"

namespace kvasir {
namespace {

using testing::GgufMaker;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ8_0 = 8;
constexpr uint32_t kUnknown = 99;
const std::vector<int64_t> kMatrix = {64, 3};
const std::vector<int64_t> kVector = {3};

Result<std::vector<TensorInfo>> tensors_of(std::span<const std::byte> file) {
  KVASIR_ASSIGN_OR_RETURN(const GgufHead head, GgufHead::parse(file, "m.gguf"));
  return tensors_in_gguf(head, file.size(), "m.gguf");
}

std::string failure_of(std::span<const std::byte> file) {
  const auto tensors = tensors_of(file);
  return tensors.ok() ? "" : tensors.error().message();
}

void expect_refused(std::span<const std::byte> file, std::string_view words) {
  EXPECT_NE(failure_of(file).find(words), std::string::npos) << words << ": " << failure_of(file);
}

// A tensor of 12 bytes, one of 204, and 20 bytes of padding behind both.
GgufMaker two_tensors() {
  GgufMaker maker;
  maker.filled_tensor("norm", kVector, kF32).filled_tensor("matrix", kMatrix, kQ8_0);
  return maker;
}

TEST(GgufTensors, LieWhereTheHeadSays) {
  const std::vector<std::byte> file = two_tensors().file();
  const auto tensors = tensors_of(file);
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  ASSERT_EQ(tensors->size(), 2U);
  const TensorInfo& norm = (*tensors)[0];
  const TensorInfo& matrix = (*tensors)[1];
  EXPECT_EQ(norm.shape, kVector);
  EXPECT_EQ(norm.dtype, Dtype::kF32);
  EXPECT_EQ(norm.size_bytes, 12U);
  EXPECT_EQ(norm.offset_bytes % 32, 0U);
  EXPECT_EQ(matrix.shape, (std::vector<int64_t>{3, 64}));
  EXPECT_EQ(matrix.dtype, Dtype::kQ8_0);
  EXPECT_EQ(matrix.dtype_name, "Q8_0");
  EXPECT_EQ(matrix.size_bytes, 204U);
  EXPECT_EQ(matrix.offset_bytes, norm.offset_bytes + 32);
}

TEST(GgufTensors, ShapesBeginWithNoOneThatCouldBeLeftOut) {
  const std::vector<int64_t> stack_of_one = {32, 2, 1};
  const std::vector<int64_t> single = {1, 1};
  GgufMaker maker;
  maker.filled_tensor("stack", stack_of_one, kQ8_0).filled_tensor("number", single, kF32);
  const auto tensors = tensors_of(maker.file());
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  EXPECT_EQ((*tensors)[0].shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ((*tensors)[1].shape, (std::vector<int64_t>{1}));
}

TEST(GgufTensors, AFileThatIsCutIsRefusedButForPadding) {
  const std::vector<std::byte> file = two_tensors().file();
  for (size_t cut = 1; cut < file.size(); ++cut) {
    const bool is_padding = cut <= 20;
    EXPECT_EQ(failure_of(std::span(file).first(file.size() - cut)).empty(), is_padding) << cut;
  }
}

TEST(GgufTensors, WhatFollowsTheLastOneIsPaddingAlone) {
  std::vector<std::byte> file = two_tensors().file();
  file.push_back(std::byte{0});
  expect_refused(file, "file goes on after the last tensor");
}

TEST(GgufTensors, AlignmentIsAsTheFileSays) {
  for (const uint32_t bytes : {1U, 8U, 64U, 4096U}) {
    GgufMaker maker;
    maker.alignment(bytes).filled_tensor("a", kVector, kF32).filled_tensor("b", kVector, kF32);
    const auto tensors = tensors_of(maker.file());
    ASSERT_TRUE(tensors.ok()) << tensors.error().message();
    const uint64_t step = (*tensors)[1].offset_bytes - (*tensors)[0].offset_bytes;
    EXPECT_EQ(step, (12 + bytes - 1) / bytes * bytes) << bytes;
    EXPECT_EQ((*tensors)[0].offset_bytes % bytes, 0U);
  }
  for (const uint32_t bytes : {0U, 3U, 24U, 1U << 31}) {
    expect_refused(GgufMaker().number("general.alignment", bytes).file(), "general.alignment");
  }
  expect_refused(GgufMaker().text("general.alignment", "32").file(), "general.alignment");
}

TEST(GgufTensors, OffsetsThatDoNotFollowOneAnotherAreRefused) {
  const std::vector<std::byte> data(256);
  const auto file_with = [&](uint64_t second_offset) {
    GgufMaker maker;
    maker.tensor("a", kVector, kF32, data).tensor_at("b", kVector, kF32, second_offset);
    return maker.file();
  };
  expect_refused(file_with(0), "overlaps");
  expect_refused(file_with(8), "overlaps");
  expect_refused(file_with(16), "hole");  // not aligned
  expect_refused(file_with(64), "hole");
  EXPECT_NE(failure_of(file_with(32)).find("goes on"), std::string::npos);
  expect_refused(file_with(256), "m.gguf: b");
  expect_refused(file_with(~uint64_t{0}), "m.gguf: b");
  expect_refused(file_with(~uint64_t{0} - 11), "m.gguf: b");
}

TEST(GgufTensors, TheOrderOfTheListDoesNotMatter) {
  const std::vector<std::byte> data(64);
  GgufMaker maker;
  maker.tensor("a", kVector, kF32, std::span(data).first(32))
      .tensor_at("c", kVector, kF32, 64)
      .tensor("b", kVector, kF32, data);
  EXPECT_EQ(failure_of(maker.file()), "");
}

TEST(GgufTensors, ATypeThatAnotherProgramMeansByTheSameNumberIsFoundOutByItsSize) {
  constexpr uint32_t kQ4_0 = 2;
  const std::vector<std::byte> data(160);
  GgufMaker smaller;  // than the 108 bytes of Q4_0
  smaller.tensor("a", kMatrix, kQ4_0, std::span(data).first(96));
  smaller.tensor("b", kMatrix, kQ4_0, std::span(data).first(128));
  expect_refused(smaller.file(), "overlaps");
  GgufMaker larger;
  larger.tensor("a", kMatrix, kQ4_0, data).tensor("b", kMatrix, kQ4_0, data);
  expect_refused(larger.file(), "hole");
  GgufMaker last;
  last.tensor("a", kMatrix, kQ4_0, data);
  expect_refused(last.file(), "goes on");
}

TEST(GgufTensors, UnknownTypesAreRefusedWithTheirTensor) {
  for (const uint32_t type : {4U, 9U, 15U, 36U, kUnknown}) {
    GgufMaker maker;
    maker.filled_tensor("norm", kVector, kF32).tensor("strange", kMatrix, type);
    expect_refused(maker.file(), "m.gguf: strange");
    expect_refused(maker.file(), "type " + std::to_string(type));
  }
}

TEST(GgufTensors, ANameOccursOnce) {
  GgufMaker maker;
  maker.filled_tensor("norm", kVector, kF32).filled_tensor("norm", kVector, kF32);
  expect_refused(maker.file(), "m.gguf: norm");
}

TEST(GgufTensors, APartMayHoldNoneAtAll) {
  EXPECT_EQ(failure_of(GgufMaker().number("split.no", 0).file()), "");
}

}  // namespace
}  // namespace kvasir
