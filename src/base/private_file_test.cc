#include "base/private_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "base/text_file.h"

namespace kvasir {
namespace {

class PrivateFile : public ::testing::Test {
 protected:
  PrivateFile() { EXPECT_TRUE(write_text_file(path_, "hunter2").ok()); }
  ~PrivateFile() override { std::remove(path_.c_str()); }

  std::string path_ = ::testing::TempDir() + "private_file_test";
};

TEST_F(PrivateFile, OwnersFileIsRead) {
  for (const mode_t mode : {0600U, 0400U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    const auto text = read_private_file(path_, 7);
    ASSERT_TRUE(text.ok()) << text.error().message();
    EXPECT_EQ(*text, "hunter2");
  }
}

TEST_F(PrivateFile, FileThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0644U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    const auto text = read_private_file(path_, 100);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(text.error().message().find("hunter2"), std::string::npos);
    EXPECT_NE(text.error().message().find("chmod 600 "), std::string::npos);
  }
}

TEST_F(PrivateFile, NoFileIsNotFoundAndLargeOnesAreRefused) {
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(read_private_file(path_, 5).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(read_private_file(path_ + ".none", 5).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(read_private_file(::testing::TempDir(), 5).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace kvasir
