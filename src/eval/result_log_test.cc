#include "eval/result_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace kvasir::eval {
namespace {

class ResultLogTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }

  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  const std::string path_ = testing::TempDir() + "result_log_test.jsonl";
  const Json settings_ = Json::Object{{"seed", 1}};
};

TEST_F(ResultLogTest, KeepsResultsOverRestarts) {
  {
    auto log = ResultLog::open(path_, settings_);
    ASSERT_TRUE(log.ok()) << log.error().message();
    EXPECT_EQ(log->find("a"), nullptr);
    ASSERT_TRUE(log->add("a", Json(int64_t{7})).ok());
    ASSERT_TRUE(log->add("b", Json("x\ny")).ok());
  }
  auto log = ResultLog::open(path_, settings_);
  ASSERT_TRUE(log.ok()) << log.error().message();
  ASSERT_NE(log->find("a"), nullptr);
  EXPECT_EQ(*log->find("a")->as_integer(), 7);
  EXPECT_EQ(*log->find("b")->as_string(), "x\ny");
  ASSERT_TRUE(log->add("c", Json(true)).ok());
  log = ResultLog();
  EXPECT_TRUE(ResultLog::open(path_, settings_)->find("c") != nullptr);
}

TEST_F(ResultLogTest, EveryTruncationLosesAtMostTheLastResult) {
  {
    auto log = ResultLog::open(path_, settings_);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE(log->add("a", Json(1)).ok());
    ASSERT_TRUE(log->add("b", Json(2)).ok());
  }
  const std::string whole = content();
  for (size_t size = 0; size <= whole.size(); ++size) {
    std::ofstream(path_, std::ios::trunc) << whole.substr(0, size);
    auto log = ResultLog::open(path_, settings_);
    ASSERT_TRUE(log.ok()) << size << ": " << log.error().message();
    ASSERT_TRUE(log->add("c", Json(3)).ok());
    log = ResultLog();  // lets go of the file
    auto again = ResultLog::open(path_, settings_);
    ASSERT_TRUE(again.ok()) << size << ": " << again.error().message();
    EXPECT_NE(again->find("c"), nullptr) << size;
    EXPECT_EQ(again->find("b") != nullptr, size == whole.size()) << size;
  }
}

TEST_F(ResultLogTest, OtherFilesAreRefusedAndLeftAlone) {
  for (const char* text : {"a letter to a friend", "a letter\nof two lines\n", "{}\n"}) {
    std::ofstream(path_, std::ios::trunc) << text;
    EXPECT_FALSE(ResultLog::open(path_, settings_).ok());
    EXPECT_EQ(content(), text);
  }
}

TEST_F(ResultLogTest, OtherSettingsAreRefusedOnceThereAreResults) {
  const Json other = Json::Object{{"seed", 2}};
  ASSERT_TRUE(ResultLog::open(path_, settings_).ok());
  {
    auto log = ResultLog::open(path_, other);  // nothing was measured yet
    ASSERT_TRUE(log.ok() && log->add("a", Json(1)).ok());
  }
  const std::string before = content();
  EXPECT_FALSE(ResultLog::open(path_, settings_).ok());
  EXPECT_EQ(content(), before);
}

TEST_F(ResultLogTest, OneProcessAtATime) {
  auto log = ResultLog::open(path_, settings_);
  ASSERT_TRUE(log.ok());
  EXPECT_FALSE(ResultLog::open(path_, settings_).ok());
  EXPECT_FALSE(ResultLog::open("-", settings_).ok());
}

TEST_F(ResultLogTest, DamageIsNamedWithItsPlace) {
  {
    auto log = ResultLog::open(path_, settings_);
    ASSERT_TRUE(log.ok() && log->add("a", Json(1)).ok());
  }
  const size_t head = content().find('\n') + 1;
  std::ofstream(path_, std::ios::app) << "{\"name\":\"b\"}\n";
  const auto log = ResultLog::open(path_, settings_);
  ASSERT_FALSE(log.ok());
  EXPECT_GT(log.error().offset.value_or(0), head);
}

TEST_F(ResultLogTest, WithoutAPathNothingIsWritten) {
  ResultLog log;
  ASSERT_TRUE(log.add("a", Json(1)).ok());
  EXPECT_NE(log.find("a"), nullptr);
  EXPECT_FALSE(ResultLog::open("/nowhere/log", settings_).ok());
}

}  // namespace
}  // namespace kvasir::eval
