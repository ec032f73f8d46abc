// Clocks that stand wrong for a while.
#include "store/dates.h"

#include <gtest/gtest.h>

#include "simulated_disk.h"
#include "store/block_store.h"
#include "store/directory.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::store {
namespace {

using testing::put_conversation;
using testing::read;
using testing::ReadOutcome;
using testing::SimulatedDisk;

constexpr int64_t kDayS = 24 * 3600;
constexpr int64_t kYearS = 365 * kDayS;
constexpr int64_t kNowS = 1'700'000'000;

std::vector<int64_t> dates_of(const std::vector<int64_t>& told_s, int64_t now_s) {
  std::vector<int64_t> dates(told_s.size());
  std::vector<Moment> moments;
  for (size_t i = 0; i < told_s.size(); ++i) moments.push_back({i + 1, told_s[i], &dates[i]});
  settle_dates(std::move(moments), now_s);
  return dates;
}

TEST(Dates, RightClocksAreBelieved) {
  EXPECT_EQ(dates_of({1, 5, 5, 100'000}, 100'000), (std::vector<int64_t>{1, 5, 5, 100'000}));
  EXPECT_EQ(dates_of({kNowS + 60}, kNowS), std::vector<int64_t>{kNowS + 60}) << "as good as right";
  EXPECT_EQ(dates_of({}, kNowS), std::vector<int64_t>{});
}

TEST(Dates, WhatClaimsTheFutureIsAsOldAsWhatCameNext) {
  EXPECT_EQ(dates_of({10, kNowS + kYearS, kNowS + kYearS, 20, 30}, kNowS),
            (std::vector<int64_t>{10, 20, 20, 20, 30}));
  EXPECT_EQ(dates_of({10, kNowS + kYearS}, kNowS), (std::vector<int64_t>{10, kNowS}));
}

TEST(Dates, WhatClaimsToBeOlderThanItsPastIsNot) {
  EXPECT_EQ(dates_of({kNowS - 100, 5, 6, kNowS - 50}, kNowS),
            (std::vector<int64_t>{kNowS - 100, kNowS - 100, kNowS - 100, kNowS - 50}));
}

TEST(Dates, TheEndsOfTheNumbersAreNumbers) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(dates_of({kMin, kMax, 7}, kNowS), (std::vector<int64_t>{0, 7, 7}));
}

// A store with room for some conversations, whose clock shows what the test says.
class Clock {
 public:
  void add_conversation(int64_t number) {
    auto store = open();
    EXPECT_TRUE(put_conversation(*store, number, 20));
  }
  bool has(int64_t number) {
    auto store = open();
    return read(*store, {number, 19, Kind::kState}) == ReadOutcome::kRight;
  }
  std::unique_ptr<BlockStore> open() {
    auto store = BlockStore::open(disk_, {.directory = "/store",
                                          .budget_bytes = 2 * (int64_t{1} << 20),
                                          .min_free_bytes = 0,
                                          .now_s = [this] { return now_s; }});
    EXPECT_TRUE(store.ok());
    (*store)->shrink_to_budget();
    return std::move(*store);
  }

  int64_t now_s = kNowS;

 private:
  std::shared_ptr<SimulatedDisk> disk_ = std::make_shared<SimulatedDisk>();
};

TEST(Dates, AClockThatStoodWrongCostsNoConversationOfToday) {
  for (const int64_t shift_s : {kYearS, -kYearS, -50 * kYearS, 3 * kDayS, 20 * kYearS}) {
    Clock clock;
    clock.now_s = kNowS - kDayS;
    for (int64_t i = 0; i < 3; ++i) clock.add_conversation(i);
    clock.now_s = kNowS + shift_s;
    for (int64_t i = 3; i < 10; ++i) clock.add_conversation(i);
    // It is right again: one conversation a day.
    for (int64_t day = 1; day <= 10; ++day) {
      clock.now_s = kNowS + day * kDayS;
      clock.add_conversation(100 + day);
      EXPECT_TRUE(clock.has(100 + day));
      EXPECT_TRUE(day == 1 || clock.has(100 + day - 1)) << "yesterday's, shift " << shift_s;
    }
    for (int64_t i = 0; i < 10; ++i)
      EXPECT_FALSE(clock.has(i)) << "ten days old and there for ever";
  }
}

// The same within one process: the clock is put back while the store is open.
TEST(Dates, AClockPutBackUnderAnOpenStoreCostsNoConversationOfToday) {
  Clock clock;
  auto store = clock.open();
  clock.now_s = kNowS + kYearS;
  for (int64_t i = 0; i < 7; ++i) EXPECT_TRUE(put_conversation(*store, i, 20));
  for (int64_t day = 1; day <= 10; ++day) {
    clock.now_s = kNowS + day * kDayS;
    EXPECT_TRUE(put_conversation(*store, 100 + day, 20));
    if (day == 1) continue;
    EXPECT_EQ(read(*store, {100 + day - 1, 19, Kind::kState}), ReadOutcome::kRight);
  }
}

// Cleaning moves records; their order and age stay.
TEST(Dates, MovedRecordsAreAsOldAsTheyWere) {
  Clock clock;
  auto store = clock.open();
  EXPECT_TRUE(put_conversation(*store, 1, 20));
  clock.now_s += kDayS;
  EXPECT_TRUE(put_conversation(*store, 2, 20));
  clock.now_s += kDayS;
  const RecordId id = testing::id_of({2, 19});
  ASSERT_TRUE(store->remove(std::span(&id, 1)).ok());
  ASSERT_GT(store->metrics()[StoreMetric::kRewrittenBytes], 0);
  store.reset();
  store = clock.open();
  for (const IndexEntry& entry : store->entries()) {
    EXPECT_EQ(entry.written_s, entry.info.created_s);
  }
}

// Uses are remembered between processes with their place in the order.
TEST(Dates, UsesFromTheFutureAge) {
  const testing::TempDirectory root;
  int64_t now_s = kNowS + kYearS;
  const auto open = [&] {
    auto opened = StoreDirectory::open(
        {.directory = root.file("store"), .min_free_bytes = 0, .now_s = [&] { return now_s; }});
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  };
  const RecordId state = testing::id_of({1, 2, Kind::kState});
  const auto last_used_s = [&](BlockStore& store) {
    for (const IndexEntry& entry : store.entries()) {
      if (entry.info.id == state) return entry.use_count.last_used_s;
    }
    return int64_t{-1};
  };
  {
    auto store = open();
    EXPECT_TRUE(put_conversation(store->blocks(), 1, 3));
    store->blocks().touch(state);
  }
  now_s = kNowS;
  {
    auto store = open();
    EXPECT_EQ(last_used_s(store->blocks()), kNowS);
    EXPECT_TRUE(put_conversation(store->blocks(), 2, 3));
  }
  now_s = kNowS + 5 * kDayS;
  EXPECT_EQ(last_used_s(open()->blocks()), kNowS) << "as old as what was written next";
  // What the clock said is not lost: it may have been right, and this one wrong.
  now_s = kNowS + 2 * kYearS;
  EXPECT_EQ(last_used_s(open()->blocks()), kNowS + kYearS);
}

}  // namespace
}  // namespace kvasir::store
