#include "store/block_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "simulated_disk.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::put;
using testing::read;
using testing::ReadOutcome;
using testing::SimulatedDisk;
using testing::TestRecord;

constexpr int64_t kMiB = int64_t{1} << 20;

// Half a minute passes between any two things a store does.
BlockStoreOptions options() {
  return {.directory = "/store",
          .min_free_bytes = 0,
          .now_s = [time_s = int64_t{1'000'000}]() mutable { return time_s += 30; }};
}

std::unique_ptr<BlockStore> open(const std::shared_ptr<SimulatedDisk>& disk,
                                 BlockStoreOptions wanted = options()) {
  auto store = BlockStore::open(disk, std::move(wanted));
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

// Holds the newest block while the next is written, as a live conversation does.
void put_conversation(BlockStore& store, int64_t conversation, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b) {
    store.hold(testing::key_of(conversation, b));
    ASSERT_TRUE(put(store, {conversation, b}).ok());
    if (b > 0) store.release(testing::key_of(conversation, b - 1));
  }
  ASSERT_TRUE(put(store, {conversation, blocks - 1, Kind::kState}).ok());
  store.release(testing::key_of(conversation, blocks - 1));
}

int64_t blocks_there(BlockStore& store, int64_t conversation, int64_t blocks) {
  int64_t count = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    const ReadOutcome outcome = read(store, {conversation, b});
    EXPECT_NE(outcome, ReadOutcome::kWrong);
    count += outcome == ReadOutcome::kRight;
  }
  return count;
}

bool has_state(BlockStore& store, int64_t conversation, int64_t block) {
  return read(store, {conversation, block, Kind::kState}) == ReadOutcome::kRight;
}

TEST(BlockStore, GivesBackWhatWasPutNowAndAfterReopening) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk);
  put_conversation(*store, 1, 20);
  EXPECT_EQ(blocks_there(*store, 1, 20), 20);
  EXPECT_EQ(read(*store, {2, 0}), ReadOutcome::kMiss);
  store.reset();
  store = open(disk);
  EXPECT_EQ(blocks_there(*store, 1, 20), 20);
  EXPECT_TRUE(has_state(*store, 1, 19));
  const auto tokens = store->read_tokens(testing::id_of({1, 3}));
  ASSERT_TRUE(tokens);
  EXPECT_EQ(*tokens, std::vector<int32_t>(128, 1));
}

TEST(BlockStore, WritesARecordOnce) {
  auto store = open(std::make_shared<SimulatedDisk>());
  EXPECT_EQ(put(*store, {1, 0}).value(), PutOutcome::kWritten);
  const int64_t bytes = store->size().file_bytes;
  EXPECT_EQ(put(*store, {1, 0}).value(), PutOutcome::kPresent);
  EXPECT_EQ(store->size().file_bytes, bytes);
}

TEST(BlockStore, GoesOnInTheNewestSegment) {
  auto disk = std::make_shared<SimulatedDisk>();
  for (int64_t i = 0; i < 10; ++i) put_conversation(*open(disk), i, 3);
  auto store = open(disk);
  EXPECT_EQ(store->size().segment_count, 1);
  for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(blocks_there(*store, i, 3), 3);
}

TEST(BlockStore, KeysThatHashAlikeAreTold) {
  auto store = open(std::make_shared<SimulatedDisk>());
  Key a{};
  Key b{};
  b.back() = std::byte{1};
  const std::vector<std::byte> one(500, std::byte{1});
  ASSERT_EQ(KeyHash()(a), KeyHash()(b));
  const std::vector<int32_t> tokens(128, 7);
  ASSERT_TRUE(store->put({.id = {Kind::kBlock, a}, .tokens = tokens}, one).ok());
  std::vector<std::byte> out(500);
  EXPECT_FALSE(store->read({Kind::kBlock, b}, out));
  EXPECT_FALSE(store->read({Kind::kState, a}, out));
  EXPECT_TRUE(store->read({Kind::kBlock, a}, out));
}

TEST(BlockStore, AnotherLengthIsAMiss) {
  auto store = open(std::make_shared<SimulatedDisk>());
  ASSERT_TRUE(put(*store, {1, 0}).ok());
  std::vector<std::byte> out(testing::payload_of({1, 0}).size() + 1);
  EXPECT_FALSE(store->read(testing::id_of({1, 0}), out));
}

TEST(BlockStore, OneWriterAndReadersBesideIt) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto writer = open(disk);
  put_conversation(*writer, 1, 4);
  const auto second = BlockStore::open(disk, options());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message().find("another process"), std::string::npos);
  BlockStoreOptions reading = options();
  reading.is_writer = false;
  auto reader = open(disk, reading);
  EXPECT_EQ(blocks_there(*reader, 1, 4), 4);
}

TEST(BlockStore, DamageIsAMissAndHealsByPutting) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1, 4);
  const std::string path = "/store/" + segment_file_name(1);
  (*disk->contents(path))[kPageBytes + 10] ^= std::byte{4};
  auto store = open(disk);
  EXPECT_EQ(read(*store, {1, 0}), ReadOutcome::kMiss);
  EXPECT_EQ(store->metrics()[StoreMetric::kVerifyFailures], 1);
  EXPECT_EQ(blocks_there(*store, 1, 4), 3);
  EXPECT_EQ(put(*store, {1, 0}).value(), PutOutcome::kWritten);
  EXPECT_EQ(blocks_there(*store, 1, 4), 4);
  store.reset();
  // The damaged copy is still there; the newer one counts.
  EXPECT_EQ(blocks_there(*open(disk), 1, 4), 4);
}

TEST(BlockStore, WhatCanNeverFitEvictsNothing) {
  BlockStoreOptions wanted = options();
  wanted.budget_bytes = 4 * kMiB;
  auto store = open(std::make_shared<SimulatedDisk>(), wanted);
  put_conversation(*store, 1, 10);
  const std::vector<std::byte> huge(static_cast<size_t>(5 * kMiB));
  EXPECT_EQ(store
                ->put({.id = {Kind::kState, testing::key_of(1, 8)},
                       .parent = testing::key_of(1, 8),
                       .token_begin = 9 * 128},
                      huge)
                .value(),
            PutOutcome::kNoRoom);
  EXPECT_EQ(blocks_there(*store, 1, 10), 10);
}

// Held records in segments with long footers: nothing to gain, so nothing is moved for ever.
TEST(BlockStore, AFullStoreOfHeldRecordsRefusesAtOnce) {
  BlockStoreOptions wanted = options();
  wanted.budget_bytes = 32 * kMiB;
  auto store = open(std::make_shared<SimulatedDisk>(), wanted);
  PutOutcome last = PutOutcome::kWritten;
  for (int64_t b = 0; b < 8000 && last == PutOutcome::kWritten; ++b) {
    store->hold(testing::key_of(1, b));
    last = put(*store, {1, b}).value();
  }
  EXPECT_EQ(last, PutOutcome::kNoRoom);
  EXPECT_LE(store->metrics()[StoreMetric::kCleanedSegments], 64);
}

TEST(BlockStore, LargeSegmentsUnderASmallerBudget) {
  auto disk = std::make_shared<SimulatedDisk>();
  BlockStoreOptions wanted = options();
  {
    auto store = open(disk, wanted);
    for (int64_t i = 0; i < 100; ++i) put_conversation(*store, i, 20);
    ASSERT_EQ(store->size().segment_count, 1);
  }
  const int64_t before = disk->total_bytes();
  wanted.budget_bytes = before + kMiB / 2;
  auto store = open(disk, wanted);
  store->shrink_to_budget();
  for (int64_t i = 100; i < 130; ++i) put_conversation(*store, i, 20);
  EXPECT_LE(disk->peak_bytes(), wanted.budget_bytes);
}

bool is_on_disk(SimulatedDisk& disk, const TestRecord& record) {
  const std::vector<std::byte> payload = testing::payload_of(record);
  const std::vector<std::string> paths = disk.paths();
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    const std::vector<std::byte>& bytes = *disk.contents(path);
    return std::search(bytes.begin(), bytes.end(), payload.begin(), payload.end()) != bytes.end();
  });
}

Status remove_one(BlockStore& store, const TestRecord& record) {
  const RecordId id = testing::id_of(record);
  return store.remove(std::span(&id, 1));
}

TEST(BlockStore, RemovingRemovesOlderCopiesToo) {
  auto disk = std::make_shared<SimulatedDisk>();
  BlockStoreOptions wanted = options();
  wanted.segment_bytes_max = 64 << 10;
  {
    auto store = open(disk, wanted);
    put_conversation(*store, 1, 20);
  }
  (*disk->contents("/store/" + segment_file_name(1)))[kPageBytes + 10] ^= std::byte{4};
  auto store = open(disk, wanted);
  EXPECT_EQ(read(*store, {1, 0}), ReadOutcome::kMiss);
  ASSERT_TRUE(put(*store, {1, 0}).ok());
  ASSERT_TRUE(remove_one(*store, {1, 0}).ok());
  store.reset();
  EXPECT_FALSE(open(disk, wanted)->read_tokens(testing::id_of({1, 0})));
}

// The header is what is damaged: verifying finds it, and the payload is as it was.
TEST(BlockStore, RemovingRemovesWhatVerifyingFoundDamaged) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1, 4);
  (*disk->contents("/store/" + segment_file_name(1)))[10] ^= std::byte{4};
  auto store = open(disk);
  EXPECT_EQ(store->verify(false, {})->size(), 1u);
  EXPECT_EQ(read(*store, {1, 0}), ReadOutcome::kMiss);
  EXPECT_TRUE(is_on_disk(*disk, {1, 0}));
  ASSERT_TRUE(remove_one(*store, {1, 0}).ok());
  EXPECT_FALSE(is_on_disk(*disk, {1, 0}));
  EXPECT_EQ(blocks_there(*store, 1, 4), 3);
}

TEST(BlockStore, RemovingRemovesWhatWasEvictedAndWrittenAnew) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk);
  put_conversation(*store, 1, 4);
  // Of a segment so full the evicted bytes stay where they are for now.
  store->hold(testing::key_of(2, 19));
  put_conversation(*store, 2, 20);
  ASSERT_TRUE(store->shrink_to(store->size().file_bytes - 1).ok());
  ASSERT_EQ(read(*store, {1, 0}), ReadOutcome::kMiss);
  for (int64_t b = 0; b < 4; ++b) ASSERT_TRUE(put(*store, {1, b}).ok());
  for (int64_t b = 0; b < 4; ++b) ASSERT_TRUE(remove_one(*store, {1, b}).ok());
  for (int64_t b = 0; b < 4; ++b) EXPECT_FALSE(is_on_disk(*disk, {1, b}));
  store->release(testing::key_of(2, 19));
}

// However its segment went: cleared, or dropped after a failed sync.
TEST(BlockStore, RemovingNeedsNoSegmentThatIsGone) {
  for (const bool is_cleared : {true, false}) {
    auto disk = std::make_shared<SimulatedDisk>();
    auto store = open(disk);
    put_conversation(*store, 1, 4);
    (*disk->contents("/store/" + segment_file_name(1)))[kPageBytes + 10] ^= std::byte{4};
    EXPECT_EQ(read(*store, {1, 0}), ReadOutcome::kMiss);
    if (is_cleared) {
      ASSERT_TRUE(store->clear().ok());
    } else {
      disk->set_fault(testing::Fault::kFileSyncFails, 0, true);
      EXPECT_FALSE(store->sync().ok());
      disk->set_fault(testing::Fault::kNone, 0, false);
    }
    EXPECT_EQ(disk->total_bytes(), 0);
    put_conversation(*store, 1, 4);
    EXPECT_TRUE(remove_one(*store, {1, 0}).ok());
    EXPECT_EQ(blocks_there(*store, 1, 4), 3);
  }
}

BlockStoreOptions small(int64_t budget_bytes) {
  BlockStoreOptions wanted = options();
  wanted.budget_bytes = budget_bytes;
  return wanted;
}

TEST(BlockStore, TheBudgetIsNeverPassed) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk, small(4 * kMiB));
  for (int64_t i = 0; i < 100; ++i) {
    put_conversation(*store, i, 20);
    ASSERT_LE(disk->peak_bytes(), 4 * kMiB);
  }
  EXPECT_EQ(store->size().file_bytes, disk->total_bytes());
  EXPECT_GT(store->metrics()[StoreMetric::kEvictedBytes], 0);
  // Half of the budget and more is in use, and what was written last is there.
  EXPECT_GT(store->size().live_bytes, 2 * kMiB);
  EXPECT_EQ(blocks_there(*store, 99, 20), 20);
  store.reset();
  EXPECT_LE(disk->total_bytes(), 4 * kMiB);
}

TEST(BlockStore, ASmallerBudgetIsReachedByOpening) {
  auto disk = std::make_shared<SimulatedDisk>();
  {
    auto store = open(disk, small(16 * kMiB));
    for (int64_t i = 0; i < 50; ++i) put_conversation(*store, i, 20);
  }
  ASSERT_GT(disk->total_bytes(), 6 * kMiB);
  auto store = open(disk, small(4 * kMiB));
  store->shrink_to_budget();
  EXPECT_LE(disk->total_bytes(), 4 * kMiB);
  EXPECT_GT(store->size().live_bytes, kMiB);
}

TEST(BlockStore, WhatIsHeldStays) {
  auto store = open(std::make_shared<SimulatedDisk>(), small(4 * kMiB));
  put_conversation(*store, 0, 20);
  store->hold(testing::key_of(0, 19));
  for (int64_t i = 1; i < 60; ++i) put_conversation(*store, i, 20);
  EXPECT_EQ(blocks_there(*store, 0, 20), 20);
  EXPECT_TRUE(has_state(*store, 0, 19));
  store->release(testing::key_of(0, 19));
  for (int64_t i = 60; i < 120; ++i) put_conversation(*store, i, 20);
  EXPECT_EQ(blocks_there(*store, 0, 20), 0);
}

TEST(BlockStore, WithEverythingHeldAPutIsRefusedNotTheBudgetPassed) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk, small(4 * kMiB));
  PutOutcome last = PutOutcome::kWritten;
  for (int64_t i = 0; i < 600 && last == PutOutcome::kWritten; ++i) {
    store->hold(testing::key_of(i, 0));
    last = put(*store, {i, 0}).value();
  }
  EXPECT_EQ(last, PutOutcome::kNoRoom);
  EXPECT_LE(disk->total_bytes(), 4 * kMiB);
  EXPECT_EQ(read(*store, {0, 0}), ReadOutcome::kRight);
}

TEST(BlockStore, OftenUsedConversationsOutliveOthers) {
  auto store = open(std::make_shared<SimulatedDisk>(), small(4 * kMiB));
  put_conversation(*store, 0, 20);
  const RecordId state = testing::id_of({0, 19, Kind::kState});
  for (int i = 0; i < 5; ++i) store->touch(state);
  for (int64_t i = 1; i < 60; ++i) put_conversation(*store, i, 20);
  EXPECT_EQ(blocks_there(*store, 0, 20), 20);
  EXPECT_TRUE(has_state(*store, 0, 19));
}

TEST(BlockStore, ASharedPrefixOutlivesItsBranches) {
  auto store = open(std::make_shared<SimulatedDisk>(), small(4 * kMiB));
  put_conversation(*store, 0, 10);
  // Branches hang on block 9 of conversation 0; only their own keys differ.
  const std::vector<int32_t> tokens(128, 3);
  const std::vector<std::byte> payload(20'000, std::byte{5});
  for (int64_t branch = 100; branch < 140; ++branch) {
    Key parent = testing::key_of(0, 9);
    for (int64_t b = 10; b < 20; ++b) {
      const Key key = testing::key_of(branch, b);
      ASSERT_TRUE(store
                      ->put({.id = {Kind::kBlock, key},
                             .parent = parent,
                             .token_begin = b * 128,
                             .tokens = tokens},
                            payload)
                      .ok());
      parent = key;
    }
    ASSERT_TRUE(store
                    ->put({.id = {Kind::kState, parent}, .parent = parent, .token_begin = 20 * 128},
                          payload)
                    .ok());
  }
  EXPECT_GT(store->metrics()[StoreMetric::kEvictedBlocks], 0);
  EXPECT_EQ(blocks_there(*store, 0, 10), 10);
}

TEST(BlockStore, RemovingLeavesNoBytes) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk);
  put_conversation(*store, 1, 3);
  put_conversation(*store, 2, 3);
  std::vector<RecordId> ids;
  for (int64_t b = 0; b < 3; ++b) ids.push_back(testing::id_of({1, b}));
  ids.push_back(testing::id_of({1, 2, Kind::kState}));
  ASSERT_TRUE(store->remove(ids).ok());
  EXPECT_EQ(blocks_there(*store, 1, 3), 0);
  EXPECT_EQ(blocks_there(*store, 2, 3), 3);
  EXPECT_FALSE(is_on_disk(*disk, {1, 1}));
}

TEST(BlockStore, TheDeviceKeepsItsFreeSpace) {
  auto disk = std::make_shared<SimulatedDisk>(8 * kMiB);
  BlockStoreOptions wanted = small(int64_t{1} << 40);
  wanted.min_free_bytes = 2 * kMiB;
  wanted.segment_bytes_max = kMiB / 2;
  auto store = open(disk, wanted);
  for (int64_t i = 0; i < 100; ++i) put_conversation(*store, i, 20);
  EXPECT_LE(disk->total_bytes(), 6 * kMiB);
  EXPECT_GT(store->size().live_bytes, 2 * kMiB);
}

TEST(BlockStore, VerifyFindsEveryFlippedByte) {
  auto disk = std::make_shared<SimulatedDisk>();
  {
    auto store = open(disk);
    for (int64_t b = 0; b < 3; ++b) ASSERT_TRUE(put(*store, {1, b}).ok());
  }
  std::vector<std::byte>& bytes = *disk->contents("/store/" + segment_file_name(1));
  BlockStoreOptions reading = options();
  reading.is_writer = false;
  ASSERT_TRUE(open(disk, reading)->verify(false, {})->empty());
  for (size_t i = 0; i < bytes.size(); i += 97) {
    bytes[i] ^= std::byte{0x20};
    EXPECT_FALSE(open(disk, reading)->verify(false, {})->empty()) << "byte " << i;
    bytes[i] ^= std::byte{0x20};
  }
}

}  // namespace
}  // namespace kvasir::store
