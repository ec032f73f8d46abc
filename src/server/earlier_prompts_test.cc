#include "server/earlier_prompts.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

TEST(EarlierPrompts, FindTheOneThatBeginsMostAlike) {
  EarlierPrompts prompts;
  prompts.add("a", {.id = "1", .ids = {1, 2, 3}});
  prompts.add("a", {.id = "2", .ids = {1, 2, 9}});
  prompts.extend("a", "1", std::vector<int32_t>{4});
  const std::vector<int32_t> ids{1, 2, 3, 4, 5};
  const auto nearest = prompts.nearest("a", ids);
  ASSERT_TRUE(nearest);
  EXPECT_EQ(nearest->prompt->id, "1");
  EXPECT_EQ(nearest->same_ids, 4);
  // Of several that begin alike the newest.
  const std::vector<int32_t> others{1, 2, 7};
  EXPECT_EQ(prompts.nearest("a", others)->prompt->id, "1");
  prompts.add("a", {.id = "2", .ids = {1, 2, 9}});
  EXPECT_EQ(prompts.nearest("a", others)->prompt->id, "2");
}

TEST(EarlierPrompts, AreNobodyElses) {
  EarlierPrompts prompts;
  prompts.add("a", {.id = "1", .ids = {1, 2, 3}});
  const std::vector<int32_t> ids{1, 2, 3};
  EXPECT_FALSE(prompts.nearest("b", ids));
  EXPECT_FALSE(prompts.find("b", "1", ids));
  prompts.extend("b", "1", ids);
  EXPECT_EQ(prompts.find("a", "1", ids)->prompt->ids.size(), 3U);
}

TEST(EarlierPrompts, ForgetTheOldestWhereThereIsNoRoom) {
  EarlierPrompts prompts(4096);
  const std::vector<int32_t> long_ids(400, 7);
  for (const char* id : {"1", "2", "3"}) prompts.add("a", {.id = id, .ids = long_ids});
  EXPECT_FALSE(prompts.find("a", "1", long_ids));
  EXPECT_TRUE(prompts.find("a", "3", long_ids));
  // One that is larger than all there is room for is not kept, and costs nobody anything.
  prompts.add("a", {.id = "4", .ids = std::vector<int32_t>(4096)});
  EXPECT_FALSE(prompts.find("a", "4", long_ids));
  EXPECT_TRUE(prompts.find("a", "3", long_ids));
  // Who has the most makes room.
  prompts.add("b", {.id = "5", .ids = long_ids});
  EXPECT_TRUE(prompts.find("b", "5", long_ids));
  prompts.add("a", {.id = "6", .ids = long_ids});
  EXPECT_TRUE(prompts.find("b", "5", long_ids));
}

}  // namespace
}  // namespace kvasir::server
