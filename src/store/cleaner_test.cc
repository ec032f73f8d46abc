#include "store/cleaner.h"

#include <gtest/gtest.h>

#include "simulated_disk.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::Fault;
using testing::SimulatedDisk;

// A log with an index and a cleaner, without the store around them.
class CleanerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    disk_->make_directory("/store");
    SegmentLog::Found found;
    auto log = SegmentLog::open(disk_, {.directory = "/store", .owner = 0}, found);
    ASSERT_TRUE(log.ok()) << log.error().message();
    log_ = std::move(*log);
    reader_.emplace(*log_, index_, metrics_);
    writer_.emplace(*log_, index_, metrics_);
  }

  Cleaner cleaner(int64_t budget_bytes = int64_t{1} << 30) {
    return {*log_, index_, metrics_, *reader_, *writer_, budget_bytes};
  }
  // Writes that many blocks, numbered from `begin` on, and ends their segment. Returns its number.
  uint64_t write_segment(int64_t begin, int64_t count) {
    for (int64_t b = begin; b < begin + count; ++b) {
      const std::vector<std::byte> payload = testing::payload_of({1, b});
      const RecordInfo info{.id = testing::id_of({1, b}),
                            .token_begin = b,
                            .token_count = 1,
                            .payload_bytes = std::ssize(payload),
                            .payload_digest = xxh3_128(payload),
                            .sequence_number = static_cast<uint64_t>(b) + 1};
      EXPECT_TRUE(writer_->append(info, std::vector<int32_t>{7}, payload, {}).ok());
    }
    const uint64_t number = log_->active_number();
    EXPECT_TRUE(writer_->seal().ok());
    return number;
  }
  void erase(int64_t begin, int64_t count) {
    for (int64_t b = begin; b < begin + count; ++b) {
      index_.erase_leaving_copy(testing::id_of({1, b}));
    }
  }
  bool has(int64_t block) {
    std::vector<std::byte> payload(testing::payload_of({1, block}).size());
    return reader_->read(testing::id_of({1, block}), payload).ok() &&
           payload == testing::payload_of({1, block});
  }

  std::shared_ptr<SimulatedDisk> disk_ = std::make_shared<SimulatedDisk>();
  std::unique_ptr<SegmentLog> log_;
  SharedIndex index_;
  Metrics metrics_;
  std::optional<RecordReader> reader_;
  std::optional<RecordWriter> writer_;
};

TEST_F(CleanerTest, MovesWhatIsLeftAndDeletesTheSegment) {
  const uint64_t number = write_segment(0, 10);
  const int64_t before_bytes = log_->file_bytes();
  erase(1, 9);
  const int64_t left_bytes = index_.live_bytes();
  ASSERT_TRUE(cleaner().clean(number).ok());
  EXPECT_FALSE(log_->has_segment(number));
  EXPECT_EQ(log_->file_bytes(), left_bytes);
  EXPECT_LT(log_->file_bytes(), before_bytes / 2);
  EXPECT_TRUE(has(0));
  EXPECT_EQ(metrics_[StoreMetric::kCleanedSegments], 1);
  EXPECT_EQ(metrics_[StoreMetric::kRewrittenBytes], left_bytes);
}

TEST_F(CleanerTest, TakesTheEmptiestSegmentFirst) {
  const uint64_t fuller = write_segment(0, 20);
  const uint64_t emptier = write_segment(20, 20);
  erase(0, 8);
  erase(20, 18);
  ASSERT_TRUE(cleaner().clean_emptiest(1));
  EXPECT_FALSE(log_->has_segment(emptier));
  EXPECT_TRUE(log_->has_segment(fuller));
}

TEST_F(CleanerTest, LeavesSegmentsThatAreFullerThanAsked) {
  write_segment(0, 20);
  erase(0, 4);
  EXPECT_FALSE(cleaner().clean_emptiest(0.5));
  EXPECT_TRUE(cleaner().clean_emptiest(0.95));
}

TEST_F(CleanerTest, NeedsRoomForBothCopies) {
  write_segment(0, 20);
  erase(0, 10);
  const int64_t file_bytes = log_->file_bytes();
  EXPECT_FALSE(cleaner(file_bytes + index_.live_bytes() / 2).clean_emptiest(1));
  EXPECT_TRUE(cleaner(2 * file_bytes).clean_emptiest(1));
}

TEST_F(CleanerTest, ASegmentThatCannotBeReadStaysWithItsRecords) {
  const uint64_t number = write_segment(0, 10);
  erase(5, 5);
  disk_->forbid(log_->path_of(number));
  const Status cleaned = cleaner().clean(number);
  ASSERT_FALSE(cleaned.ok());
  EXPECT_TRUE(log_->has_segment(number));
  for (int64_t b = 0; b < 5; ++b) EXPECT_TRUE(index_.find(testing::id_of({1, b}))) << b;
}

TEST_F(CleanerTest, GoesOnAfterASegmentThatFails) {
  const uint64_t failing = write_segment(0, 10);
  const uint64_t sound = write_segment(10, 10);
  erase(0, 5);
  erase(10, 5);
  disk_->forbid(log_->path_of(failing));
  EXPECT_FALSE(cleaner().clean_all({failing, sound}).ok());
  EXPECT_TRUE(log_->has_segment(failing));
  EXPECT_FALSE(log_->has_segment(sound));
  EXPECT_TRUE(has(19));
}

}  // namespace
}  // namespace kvasir::store
