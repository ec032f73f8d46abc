// One failing call at a time while a store cleans, writes on or opens: what was there stays.
#include <gtest/gtest.h>

#include "simulated_disk.h"
#include "store/block_store.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::Fault;
using testing::put;
using testing::read;
using testing::ReadOutcome;
using testing::SimulatedDisk;

constexpr int64_t kBlocks = 6;

std::unique_ptr<BlockStore> open(const std::shared_ptr<SimulatedDisk>& disk,
                                 Durability durability = Durability::kBatch,
                                 int64_t segment_bytes_max = int64_t{256} << 20) {
  auto store = BlockStore::open(disk, {.directory = "/store",
                                       .min_free_bytes = 0,
                                       .segment_bytes_max = segment_bytes_max,
                                       .durability = durability});
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

void put_conversation(BlockStore& store, int64_t conversation) {
  for (int64_t b = 0; b < kBlocks; ++b) ASSERT_TRUE(put(store, {conversation, b}).ok());
}

std::vector<RecordId> ids_of(int64_t conversation) {
  std::vector<RecordId> ids;
  for (int64_t b = 0; b < kBlocks; ++b) ids.push_back(testing::id_of({conversation, b}));
  return ids;
}

int64_t right_reads(BlockStore& store, int64_t conversation) {
  int64_t count = 0;
  for (int64_t b = 0; b < kBlocks; ++b) {
    const ReadOutcome outcome = read(store, {conversation, b});
    EXPECT_NE(outcome, ReadOutcome::kWrong);
    count += outcome == ReadOutcome::kRight;
  }
  return count;
}

// Removing one conversation moves the other out of the segment that both lie in.
TEST(BlockStoreFault, NoFailingCallWhileCleaningCostsASurvivor) {
  for (const Fault fault : testing::kFaults) {
    int64_t struck = 1;
    for (int64_t operation = 0; struck != 0; ++operation) {
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                   std::to_string(operation));
      auto disk = std::make_shared<SimulatedDisk>();
      {
        auto store = open(disk);
        put_conversation(*store, 1);
        put_conversation(*store, 2);
      }
      auto store = open(disk);
      const int64_t begin = disk->operation_count();
      disk->set_fault(fault, begin + operation, false);
      (void)store->remove(ids_of(1));
      struck = disk->fault_count();
      disk->set_fault(Fault::kNone, 0, false);
      EXPECT_EQ(right_reads(*store, 2), kBlocks);
      EXPECT_EQ(right_reads(*store, 1), 0);
      put_conversation(*store, 3);
      EXPECT_EQ(store->size().file_bytes, disk->total_bytes());
      store.reset();
      store = open(disk);
      EXPECT_EQ(right_reads(*store, 2), kBlocks);
      EXPECT_EQ(right_reads(*store, 3), kBlocks);
      if (HasFailure()) return;
    }
  }
}

// A write that fails half way and cannot be cut off: the segment is left as it is.
TEST(BlockStoreFault, WhatCannotBeCutOffCostsOnlyWhatFailed) {
  int64_t failed_puts = 0;
  for (int64_t operation = 0; operation < 6; ++operation) {
    auto disk = std::make_shared<SimulatedDisk>();
    auto store = open(disk);
    put_conversation(*store, 1);
    // Strikes twice: the write, and the cutting off after it.
    const int64_t begin = disk->operation_count() + operation;
    disk->set_observer([&](int64_t now) {
      if (now > begin + 1) disk->set_fault(Fault::kNone, 0, false);
    });
    disk->set_fault(Fault::kIoError, begin, true);
    if (!put(*store, {2, 0}).ok()) ++failed_puts;
    disk->set_observer({});
    disk->set_fault(Fault::kNone, 0, false);
    put_conversation(*store, 2);
    EXPECT_EQ(store->size().file_bytes, disk->total_bytes());
    EXPECT_EQ(right_reads(*store, 1), kBlocks);
    store.reset();
    store = open(disk);
    EXPECT_EQ(right_reads(*store, 1), kBlocks);
    EXPECT_EQ(right_reads(*store, 2), kBlocks);
  }
  EXPECT_GE(failed_puts, 3);  // payload, padding, header
}

// Whatever fails once: nothing is known of the bytes, so nothing is forgotten.
TEST(BlockStoreFault, WhatCannotBeReadNowIsReadLater) {
  for (const Fault fault : testing::kFaults) {
    int64_t struck = 1;
    for (int64_t operation = 0; struck != 0 && !HasFailure(); ++operation) {
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                   std::to_string(operation));
      auto disk = std::make_shared<SimulatedDisk>();
      put_conversation(*open(disk), 1);
      auto store = open(disk);
      disk->set_fault(fault, disk->operation_count() + operation, false);
      std::vector<std::byte> head(100);
      (void)store->open_pieces(testing::id_of({1, 0}), std::ssize(testing::payload_of({1, 0})), {});
      (void)store->open_pieces(testing::id_of({1, 1}), std::ssize(testing::payload_of({1, 1})),
                               head);
      (void)store->read_tokens(testing::id_of({1, 2}));
      (void)right_reads(*store, 1);
      struck = disk->fault_count();
      disk->set_fault(Fault::kNone, 0, false);
      EXPECT_EQ(right_reads(*store, 1), kBlocks);
      EXPECT_EQ(store->metrics()[StoreMetric::kVerifyFailures], 0);
    }
  }
}

TEST(BlockStoreFault, AShortageMakesNoSecondCopies) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1);
  auto store = open(disk);
  for (int round = 0; round < 5; ++round) {
    disk->set_fault(Fault::kShortage, 0, true);
    std::vector<std::byte> payload = testing::payload_of({1, 0});
    const Status read = store->read(testing::id_of({1, 0}), payload);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().kind, ErrorKind::kNoMemory);
    EXPECT_EQ(right_reads(*store, 1), 0);
    disk->set_fault(Fault::kNone, 0, false);
  }
  for (int64_t b = 0; b < kBlocks; ++b) {
    EXPECT_EQ(put(*store, {1, b}).value(), PutOutcome::kPresent);
  }
  EXPECT_EQ(right_reads(*store, 1), kBlocks);
}

// Whoever then computed it anew has it written anew.
TEST(BlockStoreFault, WhatTheDeviceRefusesIsWrittenAnew) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1);
  auto store = open(disk);
  ASSERT_EQ(right_reads(*store, 1), kBlocks);  // opens the file
  disk->set_fault(Fault::kIoError, 0, true);
  EXPECT_EQ(right_reads(*store, 1), 0);
  EXPECT_TRUE(store->find(testing::id_of({1, 0})));
  EXPECT_EQ(right_reads(*store, 1), 0);
  EXPECT_FALSE(store->find(testing::id_of({1, 0})));
  disk->set_fault(Fault::kNone, 0, false);
  EXPECT_EQ(put(*store, {1, 0}).value(), PutOutcome::kWritten);
  EXPECT_EQ(right_reads(*store, 1), kBlocks);
  EXPECT_EQ(put(*store, {1, 1}).value(), PutOutcome::kPresent);
}

TEST(BlockStoreFault, RepairingDeletesNothingThatCannotBeRead) {
  for (const Fault fault : testing::kFaults) {
    for (const bool is_sticky : {false, true}) {
      int64_t struck = 1;
      for (int64_t operation = 0; struck != 0 && !HasFailure(); ++operation) {
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                     std::to_string(operation));
        auto disk = std::make_shared<SimulatedDisk>();
        put_conversation(*open(disk), 1);
        auto store = open(disk);
        disk->set_fault(fault, disk->operation_count() + operation, is_sticky);
        (void)store->verify(true, {});
        struck = disk->fault_count();
        disk->set_fault(Fault::kNone, 0, false);
        EXPECT_EQ(right_reads(*store, 1), kBlocks);
        store.reset();
        EXPECT_EQ(right_reads(*open(disk), 1), kBlocks);
      }
    }
  }
}

// An empty store in its place would be filled with what is there already.
TEST(BlockStoreFault, AShortageWhileOpeningIsAnError) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1);
  int64_t struck = 1;
  for (int64_t operation = 0; struck != 0; ++operation) {
    const int64_t before = disk->fault_count();
    disk->set_fault(Fault::kShortage, disk->operation_count() + operation, true);
    const auto opened = BlockStore::open(disk, {.directory = "/store", .is_writer = false});
    struck = disk->fault_count() - before;
    disk->set_fault(Fault::kNone, 0, false);
    if (opened.ok()) {
      EXPECT_EQ(right_reads(**opened, 1), kBlocks);
    } else {
      EXPECT_EQ(opened.error().kind, ErrorKind::kNoMemory);
    }
  }
}

// The file shrank under the store: that is damage.
TEST(BlockStoreFault, WhatIsCutOffIsForgotten) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1);
  auto store = open(disk);
  disk->contents("/store/" + segment_file_name(1))->resize(kPageBytes + 100);
  EXPECT_EQ(right_reads(*store, 1), 0);
  EXPECT_EQ(store->metrics()[StoreMetric::kVerifyFailures], kBlocks);
  put_conversation(*store, 1);
  EXPECT_EQ(right_reads(*store, 1), kBlocks);
}

// One append may lose two segments: the full one that it ends, and the one that it begins.
TEST(BlockStoreFault, WhatFailedSyncsTookAwayIsNotFound) {
  constexpr int64_t kConversations = 8;
  int64_t struck = 1;
  for (int64_t operation = 0; struck != 0 && !HasFailure(); ++operation) {
    SCOPED_TRACE("from operation " + std::to_string(operation) + " on");
    auto disk = std::make_shared<SimulatedDisk>();
    auto store = open(disk, Durability::kStrict, int64_t{64} << 10);
    disk->set_fault(Fault::kFileSyncFails, disk->operation_count() + operation, true);
    for (int64_t c = 0; c < kConversations; ++c) {
      for (int64_t b = 0; b < kBlocks; ++b) (void)put(*store, {c, b});
    }
    struck = disk->fault_count();
    EXPECT_LE(store->size().live_bytes, store->size().file_bytes);
    for (int64_t c = 0; c < kConversations; ++c) {
      for (int64_t b = 0; b < kBlocks; ++b) {
        const bool is_found = store->find(testing::id_of({c, b})).has_value();
        EXPECT_EQ(read(*store, {c, b}) == ReadOutcome::kRight, is_found);
      }
    }
  }
}

// Survivors move into small segments, whose syncs fail for good or once.
TEST(BlockStoreFault, AFailedSyncWhileCleaningCostsNoSurvivor) {
  for (const bool is_sticky : {false, true}) {
    int64_t struck = 1;
    for (int64_t operation = 0; struck != 0 && !HasFailure(); ++operation) {
      SCOPED_TRACE("at operation " + std::to_string(operation));
      auto disk = std::make_shared<SimulatedDisk>();
      {
        auto store = open(disk);
        for (int64_t c = 1; c < 8; ++c) put_conversation(*store, c);
      }
      auto store = open(disk, Durability::kStrict, int64_t{64} << 10);
      disk->set_fault(Fault::kFileSyncFails, disk->operation_count() + operation, is_sticky);
      (void)store->remove(ids_of(1));
      struck = disk->fault_count();
      disk->set_fault(Fault::kNone, 0, false);
      EXPECT_EQ(right_reads(*store, 1), 0);
      for (int64_t c = 2; c < 8; ++c) EXPECT_EQ(right_reads(*store, c), kBlocks);
      EXPECT_EQ(store->size().file_bytes, disk->total_bytes());
      EXPECT_TRUE(store->clear().ok());
      EXPECT_EQ(disk->total_bytes(), 0);
    }
  }
}

// An exported conversation is segment 0, and no number follows the last.
TEST(BlockStoreFault, SegmentsWithNumbersThatNoStoreGivesAreLeftAlone) {
  auto disk = std::make_shared<SimulatedDisk>();
  put_conversation(*open(disk), 1);
  const std::vector<std::byte> bytes = *disk->contents("/store/" + segment_file_name(1));
  for (const uint64_t number : {uint64_t{0}, UINT64_MAX}) {
    const auto file = disk->open("/store/" + segment_file_name(number), OpenMode::kCreate);
    ASSERT_TRUE(file.object->write(0, bytes).ok());
  }
  auto store = open(disk);
  put_conversation(*store, 2);
  EXPECT_EQ(store->size().segment_count, 1);
  ASSERT_TRUE(store->clear().ok());
  put_conversation(*store, 3);
  EXPECT_EQ(right_reads(*store, 3), kBlocks);
  EXPECT_EQ(*disk->contents("/store/" + segment_file_name(0)), bytes);
  EXPECT_EQ(*disk->contents("/store/" + segment_file_name(UINT64_MAX)), bytes);
}

}  // namespace
}  // namespace kvasir::store
