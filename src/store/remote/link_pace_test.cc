#include "store/remote/link_pace.h"

#include <gtest/gtest.h>

#include <chrono>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;

class LinkPaceTest : public ::testing::Test {
 protected:
  LinkPaceTest() { pace_.restart(start_); }
  // How long after the start is waited at most, in ms.
  int64_t until_ms() const {
    return std::chrono::duration_cast<milliseconds>(pace_.until() - start_).count();
  }
  Clock::time_point at(int64_t ms) const { return start_ + milliseconds(ms); }

  Clock::time_point start_ = Clock::now();
  LinkPace pace_{LinkLimits{}, start_ + std::chrono::minutes(1)};
};

TEST_F(LinkPaceTest, AnAnswerBeginsSoon) { EXPECT_EQ(until_ms(), 100); }

TEST_F(LinkPaceTest, WhatWasSentHasToTravelFirst) {
  pace_.sent(400'000, at(0));
  EXPECT_EQ(until_ms(), 500);
  pace_.answered(400'000, at(300));
  EXPECT_EQ(until_ms(), 400);
}

TEST_F(LinkPaceTest, ThenItKeepsItsRate) {
  pace_.received(1, at(90));
  EXPECT_EQ(until_ms(), 1090);
  // A megabyte a second is enough, for as long as it lasts.
  for (int64_t ms = 590; ms <= 5090; ms += 500) pace_.received(500'000, at(ms));
  EXPECT_EQ(until_ms(), 6090);
  // Less is not.
  for (int64_t ms = 5190; ms <= 7000; ms += 100) pace_.received(1000, at(ms));
  EXPECT_LT(until_ms(), 6200);
}

TEST_F(LinkPaceTest, HasteIsNoCreditForLater) {
  pace_.received(1, at(10));
  pace_.received(50'000'000, at(20));
  EXPECT_EQ(until_ms(), 1020);
}

TEST_F(LinkPaceTest, TheDeadlineIsTheLast) {
  LinkPace pace(LinkLimits{}, start_ + milliseconds(50));
  pace.sent(10'000'000, at(0));
  EXPECT_EQ(pace.until(), start_ + milliseconds(50));
}

}  // namespace
}  // namespace kvasir::store::remote
