#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

namespace kvasir {
namespace {

#if !defined(KVASIR_SANITIZED)
// Sanitizers need more address space than there is room for under a limit.
TEST(ThreadPool, APoolThatCannotStartAllItsThreadsSaysSo) {
  const auto ask_for_too_many = [] {
    const rlimit limit{.rlim_cur = 1u << 28, .rlim_max = 1u << 28};
    setrlimit(RLIMIT_AS, &limit);
    try {
      const ThreadPool pool(1000);
    } catch (const std::system_error&) {
      std::exit(42);
    }
    std::exit(0);
  };
  EXPECT_EXIT(ask_for_too_many(), testing::ExitedWithCode(42), "");
}
#endif

class ThreadPoolTest : public testing::TestWithParam<int> {};

// Plain integers on purpose: under the thread sanitizer a missing ordering shows as a race.
TEST_P(ThreadPoolTest, EveryIndexOnceForEveryCount) {
  ThreadPool pool(GetParam());
  for (int64_t count : {0, 1, 2, 3, 7, 8, 9, 100, 1000}) {
    std::vector<int> calls(static_cast<size_t>(count), 0);
    pool.parallel_for(count, [&](int64_t index, int) { ++calls[static_cast<size_t>(index)]; });
    EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(count), 1));
  }
}

TEST_P(ThreadPoolTest, CountsWhatItsLoopsTakeWhileItIsAskedTo) {
  ThreadPool pool(GetParam());
  PoolTimes times;
  const auto sleep = [](int64_t, int) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  };
  pool.parallel_for(20, sleep);
  EXPECT_EQ(times.busy_ns, 0);
  pool.count_times(&times);
  pool.parallel_for(20, sleep);
  pool.parallel_for(1, sleep);
  EXPECT_GE(times.busy_ns, 21 * 50'000);
  pool.count_times(nullptr);
  const int64_t busy_ns = times.busy_ns;
  pool.parallel_for(20, sleep);
  EXPECT_EQ(times.busy_ns, busy_ns);
}

TEST_P(ThreadPoolTest, WorkersAreNumberedAndRunOneIndexAtATime) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.thread_count(), GetParam());
  std::vector<int64_t> done(static_cast<size_t>(GetParam()), 0);
  std::atomic<int> out_of_range{0};
  pool.parallel_for(5000, [&](int64_t, int worker) {
    if (worker < 0 || worker >= GetParam()) {
      ++out_of_range;
    } else {
      ++done[static_cast<size_t>(worker)];
    }
  });
  EXPECT_EQ(out_of_range, 0);
  EXPECT_EQ(std::accumulate(done.begin(), done.end(), int64_t{0}), 5000);
}

// A worker that is late for one loop must not take an index of the next with the old body or count:
// both differ from loop to loop here.
TEST_P(ThreadPoolTest, ManyShortLoopsDoNotMix) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> out(16);
  for (int64_t loop = 0; loop < 20000; ++loop) {
    const int64_t count = loop % 16 + 1;
    const std::vector<int64_t> before = out;
    pool.parallel_for(count, [&out, loop](int64_t index, int) {
      out[static_cast<size_t>(index)] = loop * 16 + index;
    });
    for (int64_t index = 0; index < 16; ++index) {
      const auto i = static_cast<size_t>(index);
      ASSERT_EQ(out[i], index < count ? loop * 16 + index : before[i]) << "loop " << loop;
    }
  }
}

// Each index waits for all the others, so the loop ends only if every worker wakes up and comes.
TEST_P(ThreadPoolTest, WorkersThatFellAsleepWakeUp) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> arrived{0};
    pool.parallel_for(GetParam(), [&](int64_t, int) {
      ++arrived;
      while (arrived < GetParam()) std::this_thread::yield();
    });
    ASSERT_EQ(arrived, GetParam());
  }
}

// The caller runs out of indices long before the slow one is done and has to sleep.
TEST_P(ThreadPoolTest, TheCallerWaitsForSlowWorkers) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 5; ++round) {
    std::vector<int> calls(static_cast<size_t>(GetParam()), 0);
    pool.parallel_for(GetParam(), [&](int64_t index, int worker) {
      if (worker != 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      ++calls[static_cast<size_t>(index)];
    });
    ASSERT_EQ(calls, std::vector<int>(static_cast<size_t>(GetParam()), 1));
  }
}

TEST_P(ThreadPoolTest, StartsAndStopsWithOrWithoutWork) {
  for (int round = 0; round < 100; ++round) {
    ThreadPool pool(GetParam());
    std::atomic<int> calls{0};
    if (round % 2 == 0) pool.parallel_for(3, [&](int64_t, int) { ++calls; });
    EXPECT_EQ(calls, round % 2 == 0 ? 3 : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 4, 8));

TEST(ThreadPoolDeathTest, NestedLoopsAreABug) {
  ThreadPool pool(1);
  const auto nested = [&pool](int64_t, int) { pool.parallel_for(1, [](int64_t, int) {}); };
  EXPECT_DEATH(pool.parallel_for(1, nested), "a loop is already running");
}

TEST(ThreadPoolDeathTest, APoolNeedsAThread) {
  EXPECT_DEATH(ThreadPool(0), "at least the calling thread");
}

}  // namespace
}  // namespace kvasir
