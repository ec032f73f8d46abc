#include "base/replace_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/text_file.h"

namespace kvasir {
namespace {

class ReplaceFile : public ::testing::Test {
 protected:
  ReplaceFile() { std::filesystem::create_directory(folder_); }
  ~ReplaceFile() override { std::filesystem::remove_all(folder_); }

  static Status write(const std::string& path, const std::string& text,
                      FileAccess access = FileAccess::kAll) {
    return replace_file(path, std::as_bytes(std::span(text)), access);
  }
  std::string file(const char* name) const { return folder_ + "/" + name; }
  int64_t file_count() const {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  }
  static int mode_of(const std::string& path) {
    struct stat there {};
    EXPECT_EQ(::stat(path.c_str(), &there), 0);
    return static_cast<int>(there.st_mode & 0777);
  }

  std::string folder_ = std::filesystem::temp_directory_path().string() + "/replace_file_" +
                        std::to_string(::getpid());
};

TEST_F(ReplaceFile, LeavesTheNewTextAndNothingElse) {
  ASSERT_TRUE(write(file("a"), "one").ok());
  ASSERT_TRUE(write(file("a"), "two").ok());
  EXPECT_EQ(read_whole_file(file("a")).value(), "two");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(ReplaceFile, LeavesAloneWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(file("folder"));
  for (const char* name : {"pipe", "folder"}) {
    EXPECT_FALSE(check_replaceable(file(name)).ok()) << name;
    const Status written = write(file(name), "text");
    ASSERT_FALSE(written.ok()) << name;
    EXPECT_EQ(written.error().kind, ErrorKind::kUsage);
  }
  EXPECT_TRUE(std::filesystem::is_fifo(file("pipe")));
  EXPECT_TRUE(std::filesystem::is_directory(file("folder")));
  EXPECT_FALSE(check_replaceable(file("nowhere/a")).ok());
  EXPECT_EQ(file_count(), 2);
}

TEST_F(ReplaceFile, ReplacesWhatALinkLeadsTo) {
  ASSERT_TRUE(write(file("a"), "one").ok());
  std::filesystem::create_symlink("a", file("link"));
  ASSERT_TRUE(write(file("link"), "two").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(file("link")));
  EXPECT_EQ(read_whole_file(file("a")).value(), "two");
}

TEST_F(ReplaceFile, KeepsWhoMayUseIt) {
  ASSERT_TRUE(write(file("mine"), "one", FileAccess::kOwner).ok());
  EXPECT_EQ(mode_of(file("mine")) & 077, 0);
  ASSERT_EQ(::chmod(file("mine").c_str(), 0640), 0);
  ASSERT_TRUE(write(file("mine"), "two", FileAccess::kOwner).ok());
  EXPECT_EQ(mode_of(file("mine")), 0640);
}

}  // namespace
}  // namespace kvasir
