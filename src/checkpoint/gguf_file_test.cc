#include "checkpoint/gguf_file.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "gguf_maker.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::GgufMaker;

class GgufFiles : public ::testing::Test {
 protected:
  void write(const std::string& name, const GgufMaker& maker, size_t data_bytes = 1024) {
    const std::vector<std::byte> head = maker.file();
    std::string bytes(reinterpret_cast<const char*>(head.data()), head.size());
    testing::write_file(directory_.file(name), bytes + std::string(data_bytes, '\1'));
  }

  // One of three parts: 64 bytes of a tensor each.
  void write_part(const std::string& name, uint32_t number) {
    const std::array<int64_t, 1> dims = {16};
    GgufMaker maker;
    if (number == 0) maker.text("general.architecture", "llama");
    maker.number("split.no", number)
        .number("split.count", 3)
        .tensor("blk." + std::to_string(number) + ".weight", dims, 0);
    write(name, maker);
  }

  static std::string part(int number) {
    return "m-0000" + std::to_string(number) + "-of-00003.gguf";
  }

  std::string failure_of(const std::string& name) {
    const auto file = read_gguf_file(directory_.file(name));
    return file.ok() ? "" : file.error().message();
  }

  std::string found() {
    const auto path = find_gguf_in(directory_.path());
    return path.ok() ? path->substr(path->rfind('/') + 1) : path.error().message();
  }

  testing::TempDirectory directory_;
};

TEST_F(GgufFiles, AnyPartFindsTheOthers) {
  for (int i = 0; i < 3; ++i) write_part(part(i + 1), static_cast<uint32_t>(i));
  for (int i = 1; i <= 3; ++i) {
    auto file = read_gguf_file(directory_.file(part(i)));
    ASSERT_TRUE(file.ok()) << file.error().message();
    EXPECT_EQ(file->path(), directory_.file(part(1)));
    EXPECT_EQ(file->take_joined_head().tensors().size(), 3U);
    EXPECT_TRUE(file->missing.empty());
  }
  EXPECT_EQ(found(), part(1));
}

TEST_F(GgufFiles, WhateverTheirNamesSayOfTheirOrder) {
  write_part(part(1), 2);
  write_part(part(2), 0);
  write_part(part(3), 1);
  const auto file = read_gguf_file(directory_.file(part(3)));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->path(), directory_.file(part(2)));
  ASSERT_EQ(file->parts.size(), 3U);
  EXPECT_EQ(file->parts[2].file->path(), directory_.file(part(1)));
}

TEST_F(GgufFiles, MissingPartsAreNamed) {
  write_part(part(2), 1);
  EXPECT_NE(failure_of(part(2)).find("part 2 of 3"), std::string::npos) << failure_of(part(2));
  EXPECT_NE(failure_of(part(2)).find(part(1)), std::string::npos) << failure_of(part(2));
  write_part(part(1), 0);
  const auto file = read_gguf_file(directory_.file(part(2)));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->missing, std::vector<std::string>{part(3)});
}

TEST_F(GgufFiles, PartsOfTwoSplitsAreNotMixed) {
  write_part(part(1), 0);
  write_part(part(2), 0);
  EXPECT_NE(failure_of(part(1)).find("different splits"), std::string::npos);
  write(part(2), GgufMaker().number("split.no", 1).number("split.count", 2));
  EXPECT_NE(failure_of(part(1)).find("different splits"), std::string::npos);
  write(part(2), GgufMaker().number("split.no", 7).number("split.count", 3));
  EXPECT_NE(failure_of(part(2)).find("absurd"), std::string::npos);
}

TEST_F(GgufFiles, AFileThatEndsBeforeItsTensorsIsSaidToBeCutShort) {
  const std::array<int64_t, 1> dims = {1024};
  write("whole.gguf", GgufMaker().tensor("x", dims, 0), 4096);
  EXPECT_TRUE(read_gguf_file(directory_.file("whole.gguf"))->cut_short.empty());
  write("short.gguf", GgufMaker().tensor("x", dims, 0), 64);
  EXPECT_EQ(read_gguf_file(directory_.file("short.gguf"))->cut_short.size(), 1U);
}

TEST_F(GgufFiles, TheOneModelOfADirectory) {
  EXPECT_NE(found().find("no GGUF file"), std::string::npos);
  write("model.GGUF", GgufMaker().text("general.architecture", "llama"));
  write("mmproj.gguf", GgufMaker().text("general.architecture", "clip"));
  write("lora.gguf",
        GgufMaker().text("general.architecture", "llama").text("general.type", "adapter"));
  EXPECT_EQ(found(), "model.GGUF");
  write("other.gguf", GgufMaker().text("general.architecture", "llama"));
  EXPECT_NE(found().find("several"), std::string::npos) << found();
  EXPECT_NE(found().find("other.gguf"), std::string::npos) << found();
}

TEST_F(GgufFiles, APointerInPlaceOfAPartIsNamed) {
  write_part(part(1), 0);
  testing::write_file(directory_.file(part(2)), "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_NE(failure_of(part(1)).find("Git LFS pointer"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
