#include "server/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace kvasir::server {
namespace {

constexpr int64_t kLarge = 1 << 20;

TEST(WorkQueue, LargeWorkLeavesAThreadToTheSmall) {
  std::promise<void> is_small_done;
  std::atomic<int> large_count{0};
  WorkQueue queue(2, 100, 100 * kLarge);
  std::shared_future<void> done = is_small_done.get_future().share();
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(queue.post(kLarge, [&large_count, done] {
      done.wait();
      ++large_count;
    }));
  }
  ASSERT_TRUE(queue.post(100, [&] {
    EXPECT_EQ(large_count, 0);
    is_small_done.set_value();
  }));
  done.wait();
}

TEST(WorkQueue, WhatWaitsIsBoundedByCountAndBytes) {
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::atomic<int> run_count{0};
  {
    WorkQueue queue(1, 3, 2 * kLarge);
    std::promise<void> has_begun;
    ASSERT_TRUE(queue.post(0, [&] { has_begun.set_value(), opened.wait(); }));
    has_begun.get_future().wait();
    const auto count = [&run_count] { ++run_count; };
    EXPECT_TRUE(queue.post(5 * kLarge, count)) << "alone, any size may wait";
    EXPECT_FALSE(queue.post(kLarge, count)) << "too many bytes";
    EXPECT_TRUE(queue.post(100, count)) << "small work is no matter of bytes";
    EXPECT_TRUE(queue.post(0, count));
    EXPECT_FALSE(queue.post(0, count)) << "too many";
    gate.set_value();
  }
  EXPECT_EQ(run_count, 3) << "what was posted runs before the end";
}

}  // namespace
}  // namespace kvasir::server
