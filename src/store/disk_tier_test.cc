#include "store/disk_tier.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "simulated_disk.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::SimulatedDisk;
using testing::TestRecord;

class DiskTierTest : public ::testing::Test {
 protected:
  DiskTierTest()
      : store_(BlockStore::open(disk_, {.directory = "/store", .min_free_bytes = 0}).value()),
        tier_(*store_) {
    for (int64_t block = 0; block < kBlocks; ++block) {
      EXPECT_TRUE(testing::put(*store_, {1, block}).ok());
    }
  }

  // Reads into memory of its own; head_bytes -1: all of it.
  Arrival read(const TestRecord& record, int64_t head_bytes = -1, Deadline deadline = kNoDeadline) {
    const auto bytes = std::ssize(testing::payload_of(record));
    return read_now(tier_,
                    {{.id = testing::id_of(record),
                      .payload_bytes = bytes,
                      .head_bytes = head_bytes < 0 ? bytes : head_bytes,
                      .memory =
                          [this](int64_t wanted) {
                            memory_.assign(static_cast<size_t>(wanted), std::byte{0});
                            return memory_.data();
                          }}},
                    deadline)
        .front();
  }

  static constexpr int64_t kBlocks = 20;
  std::shared_ptr<SimulatedDisk> disk_ = std::make_shared<SimulatedDisk>();
  std::unique_ptr<BlockStore> store_;
  DiskTier tier_;
  std::vector<std::byte> memory_;
};

TEST_F(DiskTierTest, FindsEachOfAList) {
  const std::vector<RecordId> ids = {testing::id_of({1, 3}), testing::id_of({2, 3}),
                                     testing::id_of({1, 3, Kind::kState}), testing::id_of({1, 0})};
  EXPECT_EQ(find_now(tier_, ids, kNoDeadline), (std::vector<bool>{true, false, false, true}));
  EXPECT_TRUE(find_now(tier_, {}, kNoDeadline).empty());
}

TEST_F(DiskTierTest, ReadsManyRecordsEachIntoItsMemory) {
  std::vector<std::vector<std::byte>> payloads(kBlocks);
  std::vector<WantedRecord> wanted;
  for (int64_t block = 0; block < kBlocks; ++block) {
    std::vector<std::byte>& payload = payloads[static_cast<size_t>(block)];
    const auto bytes = std::ssize(testing::payload_of({1, block}));
    wanted.push_back({.id = testing::id_of({1, block}),
                      .payload_bytes = bytes,
                      .head_bytes = bytes,
                      .memory = [&payload](int64_t size) {
                        payload.resize(static_cast<size_t>(size));
                        return payload.data();
                      }});
  }
  const std::vector<Arrival> arrivals = read_now(tier_, std::move(wanted), kNoDeadline);
  ASSERT_EQ(arrivals.size(), payloads.size());
  for (int64_t block = 0; block < kBlocks; ++block) {
    EXPECT_EQ(arrivals[static_cast<size_t>(block)].got, Got::kWhole);
    EXPECT_EQ(payloads[static_cast<size_t>(block)], testing::payload_of({1, block}));
  }
}

TEST_F(DiskTierTest, GivesTheFirstBytesAndSaysWhereTheOthersAre) {
  const Arrival arrival = read({1, 2}, 100);
  EXPECT_EQ(arrival.got, Got::kHead);
  ASSERT_TRUE(arrival.rest.has_value());
  const std::vector<std::byte> payload = testing::payload_of({1, 2});
  EXPECT_EQ(arrival.rest->payload_bytes, std::ssize(payload));
  EXPECT_TRUE(std::equal(memory_.begin(), memory_.end(), payload.begin()));
}

TEST_F(DiskTierTest, WhatIsNotThereOrOfAnotherLengthIsMissing) {
  EXPECT_EQ(read({2, 0}).got, Got::kMissing);
  const std::vector<Arrival> arrivals = read_now(tier_,
                                                 {{.id = testing::id_of({1, 0}),
                                                   .payload_bytes = 1,
                                                   .head_bytes = 1,
                                                   .memory =
                                                       [this](int64_t) {
                                                         memory_.resize(1);
                                                         return memory_.data();
                                                       }}},
                                                 kNoDeadline);
  EXPECT_EQ(arrivals[0].got, Got::kMissing);
}

TEST_F(DiskTierTest, NothingIsReadAfterTheDeadlineNorWithoutMemory) {
  EXPECT_EQ(read({1, 1}, -1, Deadline::min()).got, Got::kMissing);
  const auto bytes = std::ssize(testing::payload_of({1, 1}));
  const std::vector<Arrival> arrivals =
      read_now(tier_,
               {{.id = testing::id_of({1, 1}),
                 .payload_bytes = bytes,
                 .head_bytes = bytes,
                 .memory = [](int64_t) { return static_cast<std::byte*>(nullptr); }}},
               kNoDeadline);
  EXPECT_EQ(arrivals[0].got, Got::kNoMemory);
  EXPECT_EQ(read({1, 1}).got, Got::kWhole);
}

TEST_F(DiskTierTest, TakesRecordsAndCountsUses) {
  const std::vector<int32_t> tokens(128, 7);
  const std::vector<std::byte> payload(500, std::byte{7});
  const NewRecord record{.id = {Kind::kBlock, testing::key_of(3, 0)}, .tokens = tokens};
  const auto outcome = tier_.put(record, payload);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(*outcome, PutOutcome::kWritten);
  EXPECT_EQ(find_now(tier_, {&record.id, 1}, kNoDeadline), std::vector<bool>{true});
  tier_.touch({&record.id, 1});
  const auto entries = store_->entries();
  const auto used = std::find_if(entries.begin(), entries.end(), [&](const IndexEntry& entry) {
    return entry.info.id == record.id;
  });
  ASSERT_NE(used, entries.end());
  EXPECT_GT(used->use_count.hits, 0);
  EXPECT_TRUE(tier_.sync_if_due().ok());
}

}  // namespace
}  // namespace kvasir::store
