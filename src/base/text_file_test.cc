#include "base/text_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "base/json.h"

namespace kvasir {
namespace {

using namespace std::string_literals;

class TextFile : public ::testing::Test {
 protected:
  ~TextFile() override { std::remove(path_.c_str()); }

  Result<std::string> read(const std::string& bytes) const {
    EXPECT_TRUE(write_text_file(path_, bytes).ok());
    return read_text_file(path_);
  }

  const std::string path_ =
      ::testing::TempDir() + "kvasir_text_file_test_" + std::to_string(getpid());
};

TEST_F(TextFile, AByteOrderMarkAtTheStartIsNoText) {
  EXPECT_EQ(read("\xEF\xBB\xBFWho is Anne?").value(), "Who is Anne?");
  EXPECT_EQ(read("\xEF\xBB\xBF").value(), "");
  EXPECT_EQ(read("").value(), "");
  // Further in it is a character like any other, and so is half of one.
  EXPECT_EQ(read("Who\xEF\xBB\xBF").value(), "Who\xEF\xBB\xBF");
  EXPECT_EQ(read("\xEF\xBBWho").value(), "\xEF\xBBWho");
}

TEST_F(TextFile, OtherEncodingsAreNamed) {
  const std::pair<std::string, const char*> cases[] = {{"\xFF\xFEW\0h\0"s, "UTF-16"},
                                                       {"\xFE\xFF\0W\0h"s, "UTF-16"},
                                                       {"\xFF\xFE\0\0W\0\0\0"s, "UTF-32"},
                                                       {"\0\0\xFE\xFF\0\0\0W"s, "UTF-32"}};
  for (const auto& [bytes, encoding] : cases) {
    const auto text = read(bytes);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(text.error().found, encoding);
    EXPECT_EQ(text.error().where, path_);
  }
}

TEST_F(TextFile, BytesAreLeftAsTheyAre) {
  ASSERT_TRUE(write_text_file(path_, "\xEF\xBB\xBF{}").ok());
  EXPECT_EQ(read_whole_file(path_).value(), "\xEF\xBB\xBF{}");
}

TEST(JsonText, AByteOrderMarkIsNoJsonAndOtherEncodingsAreNamed) {
  const auto json = Json::parse("\xEF\xBB\xBF{\"a\": 1}", "config.json");
  ASSERT_TRUE(json.ok()) << json.error().message();
  EXPECT_EQ(*json->find("a")->as_integer(), 1);
  const auto wide = Json::parse("\xFF\xFE{\0}\0"s, "config.json");
  ASSERT_FALSE(wide.ok());
  EXPECT_EQ(wide.error().found, "UTF-16");
}

}  // namespace
}  // namespace kvasir
