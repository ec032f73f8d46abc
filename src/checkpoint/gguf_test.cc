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
  using Value = GgufHead::Value;
  EXPECT_EQ(*head->find("general.architecture"), Value{std::string("llama")});
  EXPECT_EQ(*head->find("llama.block_count"), Value{int64_t{7}});
  EXPECT_EQ(*head->find("llama.eps"), Value{0.5});
  EXPECT_EQ(*head->find("llama.flag"), Value{true});
  EXPECT_EQ(*head->find("llama.list"), (Value{std::vector<int64_t>{1, -2, 3}}));
  EXPECT_EQ(*head->find("llama.pattern"), (Value{std::vector<int64_t>{1, 0}}));
  EXPECT_EQ(*head->find("tokenizer.ggml.tokens"), (Value{GgufHead::Skipped{2}}));
  EXPECT_EQ(head->find("llama.none"), nullptr);
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
  const std::array<int64_t, 1> odd = {33};
  EXPECT_NE(failure_of(GgufMaker().tensor("x", odd, 8).file()).find("absurd shape"),
            std::string::npos);
  std::vector<std::byte> file = small_file().file();
  file[4] = std::byte{9};
  EXPECT_NE(failure_of(file).find("unknown version"), std::string::npos);
  file[0] = std::byte{'X'};
  EXPECT_NE(failure_of(file).find("not a GGUF file"), std::string::npos);
  EXPECT_NE(failure_of(GgufMaker().number("a", 1).number("a", 2).file()).find("twice"),
            std::string::npos);
}

}  // namespace
}  // namespace kvasir
