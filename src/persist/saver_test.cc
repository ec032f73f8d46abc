#include "persist/saver.h"

#include <gtest/gtest.h>

#include "simulated_disk.h"
#include "store_driver.h"

namespace kvasir::persist {
namespace {

using testing::key_of;
using testing::SimulatedDisk;

class SaverTest : public ::testing::Test {
 protected:
  SaverTest()
      : store_(
            store::BlockStore::open(disk_, {.directory = "/store", .min_free_bytes = 0}).value()) {}

  // Block `number` of one conversation.
  static SaveJob block(int64_t number, int64_t payload_bytes = 5000) {
    auto account = std::make_shared<kv::MemoryAccount>();
    return {.id = {store::Kind::kBlock, key_of(1, number)},
            .parent = key_of(1, number - 1),
            .token_begin = number * kv::kBlockTokens,
            .tokens = std::vector<int32_t>(kv::kBlockTokens, 3),
            .payload = std::make_shared<const kv::Block>(payload_bytes, account)};
  }
  bool has_block(int64_t number) const {
    return store_->find({store::Kind::kBlock, key_of(1, number)}).has_value();
  }

  std::shared_ptr<SimulatedDisk> disk_ = std::make_shared<SimulatedDisk>();
  std::unique_ptr<store::BlockStore> store_;
};

TEST_F(SaverTest, WritesInOrderAndItsEndWaitsForTheRest) {
  {
    Saver saver(*store_, {});
    for (int64_t number = 0; number < 10; ++number) saver.save(block(number));
    saver.drain();
    for (int64_t number = 0; number < 10; ++number) EXPECT_TRUE(has_block(number));
    for (int64_t number = 10; number < 20; ++number) saver.save(block(number));
  }
  for (int64_t number = 10; number < 20; ++number) EXPECT_TRUE(has_block(number));
}

TEST_F(SaverTest, WhatHasNoParentIsNotWritten) {
  Saver saver(*store_, {});
  saver.save(block(0));
  saver.save(block(2));
  saver.save({.id = {store::Kind::kState, key_of(1, 1)},
              .parent = key_of(1, 1),
              .token_begin = 256,
              .payload = std::make_shared<const kv::Block>()});
  saver.drain();
  EXPECT_TRUE(has_block(0));
  EXPECT_FALSE(has_block(2));
  EXPECT_FALSE(store_->find({store::Kind::kState, key_of(1, 1)}));
  EXPECT_FALSE(saver.take_error());
}

TEST_F(SaverTest, TheFirstFailureIsSaidOnceAndTheNextBlocksAreTriedAgain) {
  Saver saver(*store_, {});
  saver.save(block(0));
  saver.drain();
  disk_->set_fault(testing::Fault::kNoSpace, disk_->operation_count(), true);
  saver.save(block(1));
  saver.drain();
  disk_->set_fault(testing::Fault::kNone, 0, false);
  EXPECT_TRUE(saver.take_error());
  EXPECT_FALSE(saver.take_error());
  EXPECT_FALSE(has_block(1));
  saver.save(block(1));
  saver.drain();
  EXPECT_TRUE(has_block(1));
}

// What has been drained is held by nobody: whoever waits counts on its memory.
TEST_F(SaverTest, APayloadIsLetGoOnceItIsWritten) {
  Saver saver(*store_, {});
  SaveJob job = block(0);
  const std::weak_ptr<const kv::Block> payload = job.payload;
  saver.save(std::move(job));
  saver.drain();
  EXPECT_TRUE(payload.expired());
}

TEST_F(SaverTest, RecordsThatNoReaderWouldTakeAreBugs) {
  Saver saver(*store_, {});
  SaveJob short_block = block(0);
  short_block.tokens.pop_back();
  EXPECT_DEATH(saver.save(short_block), "a block's tokens");
  SaveJob state = block(0);
  state.id.kind = store::Kind::kState;
  EXPECT_DEATH(saver.save(state), "a block's tokens");
}

}  // namespace
}  // namespace kvasir::persist
