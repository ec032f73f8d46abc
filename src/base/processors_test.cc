#include "base/processors.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/thread_pool.h"

namespace kvasir {
namespace {

std::vector<int> allowed() {
  std::vector<int> processors = processors_by_core();
  std::sort(processors.begin(), processors.end());
  return processors;
}

TEST(Processors, OneOfEachCoreComesBeforeItsSiblings) {
  // As one maker counts siblings, and as another does.
  const auto neighbours = [](int processor) { return processor / 2; };
  const auto halves = [](int processor) { return processor % 4; };
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(one_of_each_core_first(all, neighbours), (std::vector<int>{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(one_of_each_core_first(all, halves), all);
  // A part of them, as a container has it.
  const std::vector<int> some = {2, 3, 7};
  EXPECT_EQ(one_of_each_core_first(some, neighbours), (std::vector<int>{2, 7, 3}));
}

TEST(Processors, AreAsManyAsThisProcessHas) {
  EXPECT_EQ(std::ssize(allowed()), processors_of_this_process());
}

TEST(Processors, AThreadIsBoundForAWhileAndThenAsItWas) {
  const std::vector<int> before = allowed();
  {
    const BoundHere bound(before.back());
    EXPECT_EQ(allowed(), std::vector<int>{before.back()});
  }
  EXPECT_EQ(allowed(), before);
  {
    const BoundHere not_bound(-1);
    EXPECT_EQ(allowed(), before);
  }
}

TEST(Processors, AThreadIsBoundToNoneThatItMayNotRunOn) {
  const std::vector<int> before = allowed();
  if (before.size() < 2) GTEST_SKIP() << "there is one processor";
  const BoundHere own(before.front());
  const BoundHere ours(before.back());
  EXPECT_EQ(allowed(), std::vector<int>{before.front()});
}

TEST(Processors, WhatSomebodyElseChangesMeanwhileStays) {
  const std::vector<int> before = allowed();
  if (before.size() < 2) GTEST_SKIP() << "there is one processor";
  std::jthread thread([&] {
    cpu_set_t theirs;
    CPU_ZERO(&theirs);
    CPU_SET(static_cast<size_t>(before.back()), &theirs);
    {
      const BoundHere bound(before.front());
      ASSERT_EQ(sched_setaffinity(0, sizeof theirs, &theirs), 0);
    }
    EXPECT_EQ(allowed(), std::vector<int>{before.back()});
  });
}

TEST(Processors, ThreadsOfAPoolAreBoundToOneEach) {
  const std::vector<int> processors = processors_by_core();
  const auto count = static_cast<int>(processors.size());
  ThreadPool pool(count);
  ASSERT_TRUE(pool.bind(processors).ok());
  std::vector<std::vector<int>> found(processors.size());
  std::atomic<int> arrived = 0;
  // Each waits for the others, so that none takes two.
  pool.parallel_for(count, [&](int64_t, int worker) {
    found[static_cast<size_t>(worker)] = allowed();
    ++arrived;
    while (arrived < count) std::this_thread::yield();
  });
  for (size_t worker = 1; worker < processors.size(); ++worker)
    EXPECT_EQ(found[worker], std::vector<int>{processors[worker]});
  // The first thread is the caller's own.
  EXPECT_EQ(found[0].size(), processors.size());
}

TEST(Processors, AThreadCannotBeBoundToOneThatIsNotThere) {
  std::jthread thread([] {});
  EXPECT_FALSE(bind_thread(thread, CPU_SETSIZE - 1).ok());
}

}  // namespace
}  // namespace kvasir
