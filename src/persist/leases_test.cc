#include "persist/leases.h"

#include <gtest/gtest.h>

#include "persist/project_pins.h"
#include "simulated_disk.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::persist {
namespace {

using testing::key_of;
using testing::SimulatedDisk;

std::vector<store::Key> keys(int64_t conversation, int64_t count) {
  std::vector<store::Key> keys;
  for (int64_t block = 0; block < count; ++block) keys.push_back(key_of(conversation, block));
  return keys;
}

int64_t blocks_there(store::BlockStore& store, int64_t conversation) {
  int64_t count = 0;
  while (store.find({store::Kind::kBlock, key_of(conversation, count)})) ++count;
  return count;
}

const store::Key kAlice = key_of(100, 0);
const store::Key kBob = key_of(200, 0);

class LeasesTest : public ::testing::Test {
 protected:
  std::unique_ptr<store::BlockStore> store_ =
      store::BlockStore::open(std::make_shared<SimulatedDisk>(),
                              {.directory = "/store", .min_free_bytes = 0})
          .value();
};

TEST_F(LeasesTest, WhatIsLeasedIsNotEvictedUntilItsTimeIsOver) {
  Leases leases(*store_, {.block_bytes = 10}, 1000);
  // Before it is written, as a prompt's newest blocks are.
  EXPECT_TRUE(leases.keep(kAlice, keys(1, 4), 100, 400));
  ASSERT_TRUE(testing::put_conversation(*store_, 1, 6));
  ASSERT_TRUE(testing::put_conversation(*store_, 2, 6));
  ASSERT_TRUE(store_->shrink_to(0).ok());
  EXPECT_EQ(blocks_there(*store_, 1), 4);
  EXPECT_EQ(blocks_there(*store_, 2), 0);
  leases.end_expired(399);
  EXPECT_EQ(leases.count(), 1);
  leases.end_expired(400);
  EXPECT_EQ(leases.count(), 0);
  EXPECT_EQ(leases.bytes(), 0);
  ASSERT_TRUE(store_->shrink_to(0).ok());
  EXPECT_EQ(blocks_there(*store_, 1), 0);
}

TEST_F(LeasesTest, WhatEndsFirstMakesRoom) {
  Leases leases(*store_, {.block_bytes = 10}, 100);
  EXPECT_TRUE(leases.keep(kAlice, keys(1, 4), 0, 300));
  EXPECT_TRUE(leases.keep(kAlice, keys(2, 4), 0, 200));
  // It goes on from the first, so two blocks are new.
  EXPECT_TRUE(leases.keep(kAlice, keys(1, 6), 0, 400));
  EXPECT_EQ(leases.bytes(), 100);
  EXPECT_TRUE(leases.keep(kAlice, keys(3, 1), 0, 500));
  EXPECT_EQ(leases.count(), 3);
  EXPECT_EQ(leases.bytes(), 70) << "the second is gone";
  EXPECT_FALSE(leases.keep(kAlice, keys(4, 11), 0, 500));
  EXPECT_EQ(leases.count(), 3) << "for what never fits nothing goes";
  // A longer time counts, a shorter one does not.
  EXPECT_TRUE(leases.keep(kAlice, keys(3, 1), 0, 50));
  leases.end_expired(350);
  EXPECT_EQ(leases.count(), 2);
  EXPECT_EQ(leases.bytes(), 70) << "what goes on from the first still holds all of it";
  leases.end_expired(450);
  EXPECT_EQ(leases.count(), 1);
}

TEST_F(LeasesTest, StatesCountTooAndWhoHoldsMostMakesRoom) {
  Leases leases(*store_, {.block_bytes = 10, .state_bytes = 20}, 100);
  EXPECT_TRUE(leases.keep(kBob, keys(9, 1), 0, 100));
  EXPECT_EQ(leases.bytes(), 30);
  EXPECT_TRUE(leases.keep(kAlice, keys(1, 1), 0, 400));
  EXPECT_TRUE(leases.keep(kAlice, keys(2, 1), 0, 300));
  EXPECT_TRUE(leases.keep(kAlice, keys(3, 1), 0, 500));
  EXPECT_EQ(leases.bytes(), 90);
  leases.end_expired(100);
  EXPECT_EQ(leases.count(), 2) << "the one that would have ended first was another's";
}

class ProjectPinsTest : public ::testing::Test {
 protected:
  std::unique_ptr<store::StoreDirectory> open() const {
    return store::StoreDirectory::open({.directory = directory_.file("store"), .min_free_bytes = 0})
        .value();
  }
  static std::vector<std::string> names(store::StoreDirectory& directory) {
    std::vector<std::string> names;
    for (const store::Pin& pin : directory.pins()) names.push_back(pin.name);
    return names;
  }

  testing::TempDirectory directory_;
};

TEST_F(ProjectPinsTest, KeepTheNewestBeginningOfEachProjectAlsoInLaterProcesses) {
  {
    const auto directory = open();
    ASSERT_TRUE(testing::put_conversation(directory->blocks(), 1, 4));
    ASSERT_TRUE(testing::put_conversation(directory->blocks(), 2, 4));
    ProjectPins projects(*directory, {.block_bytes = 10}, 100);
    ASSERT_TRUE(projects.keep("garden", keys(1, 4)).ok());
    ASSERT_TRUE(projects.keep("garden", keys(2, 4)).ok());
    EXPECT_EQ(names(*directory), std::vector<std::string>{"project: garden"});
    EXPECT_EQ(projects.bytes(), 40);
  }
  const auto directory = open();
  ProjectPins projects(*directory, {.block_bytes = 10}, 100);
  EXPECT_EQ(projects.bytes(), 40);
  ASSERT_TRUE(directory->blocks().shrink_to(0).ok());
  EXPECT_EQ(blocks_there(directory->blocks(), 1), 0);
  EXPECT_EQ(blocks_there(directory->blocks(), 2), 4);
}

TEST_F(ProjectPinsTest, TheOneNotHeardOfForTheLongestMakesRoom) {
  const auto directory = open();
  ASSERT_TRUE(directory->pin({.key = key_of(1, 1), .name = "a person's"}).ok());
  ProjectPins projects(*directory, {.block_bytes = 10}, 100);
  ASSERT_TRUE(projects.keep("a", keys(1, 4)).ok());
  ASSERT_TRUE(projects.keep("b", keys(2, 4)).ok());
  ASSERT_TRUE(projects.keep("a", keys(1, 4)).ok());
  ASSERT_TRUE(projects.keep("c", keys(3, 4)).ok());
  EXPECT_EQ(names(*directory),
            (std::vector<std::string>{"a person's", "project: a", "project: c"}));
  EXPECT_EQ(projects.keep("d", keys(4, 11)).error().kind, ErrorKind::kNoRoom);
  EXPECT_EQ(projects.bytes(), 80);
  // What a person pinned stays theirs.
  ASSERT_TRUE(projects.keep("f", keys(1, 2)).ok());
  EXPECT_EQ(names(*directory),
            (std::vector<std::string>{"a person's", "project: a", "project: c"}));
  // Two projects that begin alike share a pin, and each can go.
  ASSERT_TRUE(projects.keep("e", keys(3, 4)).ok());
  EXPECT_EQ(projects.bytes(), 80);
  ASSERT_TRUE(projects.keep("e", keys(5, 1)).ok());
  EXPECT_EQ(names(*directory),
            (std::vector<std::string>{"a person's", "project: c", "project: e"}));
}

}  // namespace
}  // namespace kvasir::persist
