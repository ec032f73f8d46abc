#include "store/remote/s3/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "temp_directory.h"

namespace kvasir::store::remote {
namespace {

constexpr const char* kVariables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                      "AWS_SESSION_TOKEN", "AWS_PROFILE"};

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() { forget(); }
  ~CredentialsTest() override { forget(); }
  static void forget() {
    for (const char* name : kVariables) unsetenv(name);
  }
  std::string file_of(std::string_view text, mode_t mode = 0600) const {
    std::string path = directory_.file("credentials");
    kvasir::testing::write_file(path, text);
    chmod(path.c_str(), mode);
    return path;
  }

  kvasir::testing::TempDirectory directory_;
};

constexpr std::string_view kFile =
    "# both of ours\r\n"
    "[other]\n"
    "aws_access_key_id = OTHERID\n"
    "aws_secret_access_key=other/secret=\n"
    "aws_session_token = token\n"
    "\n"
    "[ default ]\n"
    ";aws_access_key_id = OLD\n"
    "  aws_access_key_id =\tMYID\r\n"
    "aws_secret_access_key = my+secret\n"
    "region = us-east-1\n";

TEST_F(CredentialsTest, NothingSaidIsAnonymous) {
  const auto found = find_s3_credentials("");
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_value());
}

TEST_F(CredentialsTest, EnvironmentIsRead) {
  setenv("AWS_ACCESS_KEY_ID", "ID", 1);
  EXPECT_EQ(find_s3_credentials("").error().kind, ErrorKind::kUsage);
  setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
  setenv("AWS_SESSION_TOKEN", "token", 1);
  const auto found = find_s3_credentials("");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->access_key_id, "ID");
  EXPECT_EQ((*found)->secret_access_key, "hush");
  EXPECT_EQ((*found)->session_token, "token");
}

TEST_F(CredentialsTest, HeaderCannotBeSmuggledIn) {
  setenv("AWS_ACCESS_KEY_ID", "ID\r\nX-Evil: 1", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
  const auto found = find_s3_credentials("");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().message().find("hush"), std::string::npos);
}

// A file that is named is meant more than what the environment happens to say.
TEST_F(CredentialsTest, FileComesFirstAndHasProfiles) {
  setenv("AWS_ACCESS_KEY_ID", "ID", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
  const std::string file = file_of(kFile);
  auto found = find_s3_credentials(file);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.error().message();
  EXPECT_EQ((*found)->access_key_id, "MYID");
  EXPECT_EQ((*found)->secret_access_key, "my+secret");
  EXPECT_EQ((*found)->session_token, "");

  setenv("AWS_PROFILE", "other", 1);
  found = find_s3_credentials(file);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->access_key_id, "OTHERID");
  EXPECT_EQ((*found)->secret_access_key, "other/secret=");
  EXPECT_EQ((*found)->session_token, "token");

  setenv("AWS_PROFILE", "third", 1);
  EXPECT_NE(find_s3_credentials(file).error().message().find("[third]"), std::string::npos);
}

TEST_F(CredentialsTest, FileThatOthersMayReadIsRefused) {
  const auto found = find_s3_credentials(file_of(kFile, 0644));
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(found.error().message().find("my+secret"), std::string::npos);
  EXPECT_NE(found.error().message().find("others may read"), std::string::npos);
}

TEST_F(CredentialsTest, HalfOfAPairIsRefused) {
  const auto found =
      parse_s3_credentials("[default]\naws_access_key_id = ID\n", "default", "a file");
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message().find("a file, [default]"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::store::remote
