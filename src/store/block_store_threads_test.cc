// One store used by several threads at once, as an engine and its saver do, on real files.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/block_store.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::store {
namespace {

using testing::ReadOutcome;

TEST(BlockStoreThreads, ReadersSeeTheRightBytesOrNothingWhileAllElseGoesOn) {
  const testing::TempDirectory directory;
  auto opened = BlockStore::open(posix_file_system(), {.directory = directory.file("store"),
                                                       .budget_bytes = int64_t{4} << 20,
                                                       .min_free_bytes = 0,
                                                       .segment_bytes_max = int64_t{256} << 10});
  ASSERT_TRUE(opened.ok());
  BlockStore& store = **opened;
  constexpr int64_t kConversations = 150;
  constexpr int64_t kBlocks = 10;
  std::atomic<int64_t> newest{0};
  std::atomic<int64_t> right{0};
  std::atomic<int64_t> wrong{0};
  std::atomic<bool> is_done{false};

  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    for (int64_t c = 0; c < kConversations; ++c) {
      for (int64_t b = 0; b < kBlocks; ++b) {
        store.hold(testing::key_of(c, b));
        EXPECT_TRUE(testing::put(store, {c, b}).ok());
        if (b > 0) store.release(testing::key_of(c, b - 1));
      }
      EXPECT_TRUE(testing::put(store, {c, kBlocks - 1, Kind::kState}).ok());
      store.release(testing::key_of(c, kBlocks - 1));
      newest = c;
    }
    is_done = true;
  });
  for (int64_t reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] {
      for (int64_t i = 0; !is_done; ++i) {
        const int64_t c = std::max<int64_t>(0, newest - (i + reader) % 5);
        const ReadOutcome outcome = testing::read(store, {c, i % kBlocks});
        right += outcome == ReadOutcome::kRight;
        wrong += outcome == ReadOutcome::kWrong;
        store.touch(testing::id_of({c, kBlocks - 1, Kind::kState}));
        (void)store.read_tokens(testing::id_of({c, 0}));
      }
    });
  }
  threads.emplace_back([&] {
    while (!is_done) {
      (void)store.verify(false, {});
      (void)store.sync();
      (void)store.entries();
      (void)store.size();
    }
  });
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
  EXPECT_EQ(store.metrics()[StoreMetric::kVerifyFailures], 0);
  EXPECT_GT(store.metrics()[StoreMetric::kCleanedSegments], 0);
}

}  // namespace
}  // namespace kvasir::store
