#include "checkpoint/gguf.h"

#include <gtest/gtest.h>

#include <array>

#include "gguf_maker.h"

namespace kvasir {
namespace {

using testing::GgufMaker;

GgufMaker small_file() {
  const std::array<std::string, 2> words = {"a", "bc"};
  const std::array<int32_t, 3> list = {1, -2, 3};
  const std::array<int64_t, 2> dims = {64, 10};
  GgufMaker maker;
  maker.text("general.architecture", "llama")
      .number("llama.block_count", 7)
      .real("llama.eps", 0.5F)
      .flag("llama.flag", true)
      .numbers("llama.list", list)
      .flags("llama.pattern", {true, false})
      .texts("tokenizer.ggml.tokens", words)
      .tensor("token_embd.weight", dims, 8)
      .tensor("norm.weight", std::span(dims).first(1), 0);
  return maker;
}

std::string failure_of(std::span<const std::byte> file) {
  const auto head = GgufHead::parse(file, "model.gguf");
  return head.ok() ? "" : head.error().message();
}

TEST(Gguf, KeysAndTensors) {
  const std::vector<std::byte> file = small_file().file();
  const auto head = GgufHead::parse(file, "model.gguf");
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_EQ(*head->find("general.architecture")->as_string(), "llama");
  EXPECT_EQ(*head->find("llama.block_count")->as_integer(), 7);
  EXPECT_EQ(*head->find("llama.eps")->as_double(), 0.5);
  EXPECT_EQ(*head->find("llama.flag")->as_bool(), true);
  EXPECT_EQ(head->find("llama.list")->dump(), "[1,-2,3]");
  EXPECT_EQ(head->find("llama.pattern")->dump(), "[true,false]");
  EXPECT_EQ(head->find("tokenizer.ggml.tokens")->dump(), R"(["a","bc"])");
  EXPECT_EQ(head->find("llama.none"), nullptr);
  EXPECT_EQ(head->keys().as_object()->size(), 7U);
  EXPECT_EQ(head->size_bytes(), file.size());
  ASSERT_EQ(head->tensors().size(), 2U);
  EXPECT_EQ(head->tensors()[0].size_bytes, 64 * 10 / 32 * 34);  // Q8_0
  EXPECT_EQ(head->tensors()[1].size_bytes, 64 * 4);
}

TEST(Gguf, AFileThatIsCutAnywhereIsRefused) {
  const std::vector<std::byte> file = small_file().file();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(failure_of(std::span(file).first(size)), "") << size;
  }
}

TEST(Gguf, AbsurdCountsTakeNoMemory) {
  std::vector<std::byte> file = small_file().file();
  for (const size_t offset : {8U, 16U, 24U}) {  // tensors, keys, the first key's length
    std::vector<std::byte> bad = file;
    for (size_t i = 0; i < 8; ++i) bad[offset + i] = std::byte{0x7f};
    EXPECT_NE(failure_of(bad).find("absurd"), std::string::npos) << offset;
  }
}

TEST(Gguf, UnknownTypesAndVersionsAreSaid) {
  const std::array<int64_t, 1> dims = {32};
  const auto newer = GgufHead::parse(GgufMaker().tensor("x", dims, 77).file(), "model.gguf");
  EXPECT_TRUE(newer.ok() && !newer->tensors().front().size_bytes);
  std::vector<std::byte> file = small_file().file();
  file[4] = std::byte{9};
  EXPECT_NE(failure_of(file).find("unknown version"), std::string::npos);
  file[0] = std::byte{'X'};
  EXPECT_NE(failure_of(file).find("not a GGUF file"), std::string::npos);
  EXPECT_NE(failure_of(GgufMaker().number("a", 1).number("a", 2).file()).find("twice"),
            std::string::npos);
}

TEST(Gguf, AbsurdShapesAreRefused) {
  constexpr int64_t kLarge = int64_t{1} << 40;
  const std::vector<std::vector<int64_t>> shapes = {
      {33},               // not whole blocks
      {},                 // a single number
      {kLarge, kLarge},   // bytes and items overflow
      {kLarge, 1 << 24},  // bytes do
      {32, -1},
      {-32},
      {0, kLarge, kLarge},
  };
  for (const std::vector<int64_t>& dims : shapes) {
    EXPECT_NE(failure_of(GgufMaker().tensor("x", dims, 8).file()).find("absurd shape of tensor x"),
              std::string::npos)
        << dims.size();
  }
  // Items overflow where bytes do not.
  const std::array<int64_t, 2> few_bits = {kLarge, 1 << 23};
  EXPECT_NE(failure_of(GgufMaker().tensor("x", few_bits, 19).file()), "");
}

TEST(Gguf, LongListsAndTextsAreKept) {
  const std::vector<std::string> words(70'000, "word");
  const std::vector<int32_t> kinds(words.size(), 1);
  const std::string chat_template(100'000, 'x');
  GgufMaker maker;
  maker.texts("words", words).numbers("kinds", kinds).text("template", chat_template);
  const auto head = GgufHead::parse(maker.file(), "model.gguf");
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_EQ(head->find("words")->as_array()->size(), words.size());
  EXPECT_EQ(*head->find("words")->as_array()->back().as_string(), "word");
  EXPECT_EQ(head->find("kinds")->as_array()->size(), words.size());
  EXPECT_EQ(*head->find("template")->as_string(), chat_template);
}

// A list of numbers of one byte would take forty times its room.
TEST(Gguf, WhatAllListsHoldIsBounded) {
  GgufMaker maker;
  const std::vector<bool> some(100'000, true);
  const std::vector<bool> many(4'150'000, true);
  maker.flags("some", some).flags("many", many);
  EXPECT_NE(failure_of(maker.file()).find("absurd length of a list"), std::string::npos);
}

TEST(Gguf, IntegersOfEveryWidthAreIntegers) {
  GgufMaker maker;
  maker.raw<uint8_t>("u8", 0, 200)
      .raw<int8_t>("i8", 1, -2)
      .raw<uint16_t>("u16", 2, 60'000)
      .raw<int16_t>("i16", 3, -3)
      .raw<int32_t>("i32", 5, -4)
      .raw<uint64_t>("u64", 10, uint64_t{1} << 40)
      .raw<int64_t>("i64", 11, -5)
      .raw<double>("f64", 12, 0.25);
  const auto head = GgufHead::parse(maker.file(), "model.gguf");
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_EQ(head->keys().dump(),
            R"({"u8":200,"i8":-2,"u16":60000,"i16":-3,"i32":-4,"u64":1099511627776,"i64":-5,)"
            R"("f64":0.25})");
}

TEST(Gguf, ListsOfListsAreRefused) {
  GgufMaker maker;
  maker.raw<uint32_t>("nested", 9, 9);
  EXPECT_NE(failure_of(maker.file()).find("unusable type of value"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
