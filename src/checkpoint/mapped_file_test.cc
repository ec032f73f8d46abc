#include "checkpoint/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp_directory.h"

namespace kvasir {
namespace {

TEST(MappedFile, BytesAreThoseOfTheFile) {
  testing::TempDirectory directory;
  testing::write_file(directory.file("a"), "hello");
  const auto file = MappedFile::open(directory.file("a"));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ((*file)->text(), "hello");
  EXPECT_EQ((*file)->path(), directory.file("a"));
}

TEST(MappedFile, EmptyFilesAndLinksWork) {
  testing::TempDirectory directory;
  testing::write_file(directory.file("a"), "");
  ASSERT_EQ(::symlink("a", directory.file("link").c_str()), 0);
  const auto file = MappedFile::open(directory.file("link"));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST(MappedFile, WhatIsNoRegularFileIsRefused) {
  testing::TempDirectory directory;
  ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
  const auto pipe = MappedFile::open(directory.file("pipe"));
  ASSERT_FALSE(pipe.ok());
  EXPECT_NE(pipe.error().message().find("special file"), std::string::npos);
  const auto folder = MappedFile::open(directory.path());
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.error().message().find("a directory"), std::string::npos);
  const auto missing = MappedFile::open(directory.file("missing"));
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message().find("missing, found No such file"), std::string::npos);
}

TEST(MappedFile, ExistenceIsOfTheNameItself) {
  testing::TempDirectory directory;
  ASSERT_EQ(::symlink("nowhere", directory.file("link").c_str()), 0);
  EXPECT_TRUE(path_exists(directory.file("link")));
  EXPECT_FALSE(path_exists(directory.file("other")));
}

}  // namespace
}  // namespace kvasir
