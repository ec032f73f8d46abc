#include "eval/logits_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

namespace kvasir::eval {
namespace {

TEST(LogitsFileTest, KeepsRowsAndLeavesNoName) {
  const std::string folder = ::testing::TempDir() + "logits_file_test";
  std::filesystem::create_directory(folder);
  {
    LogitsFile file = LogitsFile::create(folder, 3, 5).value();
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    const std::span<float> rows = file.rows(1, 2);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
    const LogitsFile moved = std::move(file);
    EXPECT_EQ(moved.row(0)[4], 0);
    EXPECT_EQ(moved.row(2)[0], 5);
    EXPECT_EQ(moved.row(2)[4], 9);
  }
  std::filesystem::remove(folder);
}

TEST(LogitsFileTest, SaysOnceThatThereIsNoRoom) {
  const auto nowhere = LogitsFile::create("/nowhere", 1, 1);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().where, "/nowhere");
  const auto huge = LogitsFile::create(::testing::TempDir(), int64_t{1} << 40, 1 << 10);
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().expected, std::to_string((int64_t{1} << 50) * 4) + " bytes");
}

}  // namespace
}  // namespace kvasir::eval
