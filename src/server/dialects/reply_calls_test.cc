#include "server/dialects/reply_calls.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

namespace kvasir::server {
namespace {

TEST(ReplyCallsTest, AnIdIsThePrefixAndLettersAndDigits) {
  const std::string id = call_id(kOpenAiCallPrefix, "00ff", 0, 0);
  ASSERT_EQ(id.size(), 8u + 24u);
  EXPECT_TRUE(id.starts_with("call_00_"));
  for (const char c : id.substr(8)) EXPECT_NE(std::isalnum(static_cast<unsigned char>(c)), 0) << id;
  EXPECT_EQ(call_id(kAnthropicCallPrefix, "00ff", 0, 0), "toolu_" + id.substr(8));
}

// Programs find calls by ids that were told before a restart.
TEST(ReplyCallsTest, AnIdIsTheSameInEveryBuild) {
  EXPECT_EQ(call_id("", "00ff", 0, 0), "ZivH3Tclnu6QA7K2QedrC5Ew");
  EXPECT_EQ(call_id("", "00ff", 1, 2), "GRI88kqZSLo3Mr5OhYG12GUz");
}

TEST(ReplyCallsTest, EachCallHasItsOwn) {
  std::set<std::string> ids;
  for (const char* reply : {"a", "b"}) {
    for (int64_t choice = 0; choice < 3; ++choice) {
      for (int64_t call = 0; call < 3; ++call) ids.insert(call_id("", reply, choice, call));
    }
  }
  EXPECT_EQ(ids.size(), 18u);
}

}  // namespace
}  // namespace kvasir::server
