#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "temp_directory.h"
#include "text/test_support.h"
#include "text/tokenizer.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

// A checkpoint directory's small files.
class FrameTokensTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    testing::write_file(directory_.file(name), text);
  }
  void SetUp() override {
    write("tokenizer.json",
          TokenizerJson{.added = R"({"id": 300, "content": "<b>", "special": true},)"
                                 R"( {"id": 301, "content": "<e>", "special": true},)"
                                 R"( {"id": 302, "content": "<|im_end|>", "special": true},)"
                                 R"( {"id": 303, "content": "</s>"})"}
              .str());
  }
  FrameTokens frame() {
    const auto tokenizer = Tokenizer::open(directory_.path());
    if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
    return tokenizer ? tokenizer->frame() : FrameTokens{};
  }

  testing::TempDirectory directory_;
};

TEST_F(FrameTokensTest, NothingBesideTheTokenizer) {
  EXPECT_EQ(frame().begin, std::nullopt);
  EXPECT_EQ(frame().before, Ids{});
  EXPECT_EQ(frame().ends, Ids{302});  // by the way it is spelled; </s> is a tag of HTML here
}

TEST_F(FrameTokensTest, EveryFileMayNameEnds) {
  write("tokenizer_config.json", R"({"bos_token": "<b>", "eos_token": {"content": "<e>"}})");
  write("generation_config.json", R"({"bos_token_id": 5, "eos_token_id": [7, 301]})");
  write("config.json", R"({"eos_token_id": 9})");
  EXPECT_EQ(frame().begin, 300);
  EXPECT_EQ(frame().end, 301);
  EXPECT_EQ(frame().ends, (Ids{7, 9, 301, 302}));
  EXPECT_EQ(frame().before, Ids{});
}

TEST_F(FrameTokensTest, FlagsGoBeforeTheTemplate) {
  write(
      "tokenizer_config.json",
      R"({"bos_token": "<b>", "eos_token": "<e>", "add_bos_token": true, "add_eos_token": true})");
  EXPECT_EQ(frame().before, Ids{300});
  EXPECT_EQ(frame().after, Ids{301});
}

TEST_F(FrameTokensTest, AModelsConfigNamesThemWhereNothingElseDoes) {
  write("config.json", R"({"bos_token_id": 3, "eos_token_id": 4})");
  EXPECT_EQ(frame().begin, 3);
  EXPECT_EQ(frame().end, 4);
}

TEST_F(FrameTokensTest, DamagedFilesAreErrors) {
  write("generation_config.json", "{");
  const auto tokenizer = Tokenizer::open(directory_.path());
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_NE(tokenizer.error().message().find("generation_config.json"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::text
