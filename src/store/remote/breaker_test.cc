#include "store/remote/breaker.h"

#include <gtest/gtest.h>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class BreakerTest : public testing::Test {
 protected:
  void fail(int count) {
    for (int i = 0; i < count; ++i) breaker_.failed(now_);
  }

  Breaker breaker_{7};
  Breaker::Time now_{};
};

TEST_F(BreakerTest, OpensAfterThreeFailuresInARowAndNotBefore) {
  fail(2);
  breaker_.succeeded();
  fail(2);
  EXPECT_TRUE(breaker_.admit(now_));
  fail(1);
  EXPECT_FALSE(breaker_.admit(now_));
  EXPECT_EQ(breaker_.openings(), 1);
}

TEST_F(BreakerTest, OpensWhenHalfOfTheLastTwentyFailed) {
  for (int i = 0; i < 9; ++i) {
    fail(1);
    breaker_.succeeded();
  }
  EXPECT_FALSE(breaker_.is_open());
  fail(1);
  EXPECT_TRUE(breaker_.is_open());
}

TEST_F(BreakerTest, LetsOneCallTryAndClosesWhenThatSucceeds) {
  fail(3);
  now_ += seconds(1);
  EXPECT_TRUE(breaker_.admit(now_));
  EXPECT_FALSE(breaker_.admit(now_)) << "one at a time";
  breaker_.succeeded();
  EXPECT_TRUE(breaker_.admit(now_));
  EXPECT_FALSE(breaker_.is_open());
}

TEST_F(BreakerTest, WaitsTwiceAsLongAfterEachFailedTryUpToAMinute) {
  fail(3);
  for (const int wait_s : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_FALSE(breaker_.admit(now_ + milliseconds(749) * wait_s));
    now_ += seconds(wait_s);
    ASSERT_TRUE(breaker_.admit(now_)) << wait_s;
    fail(1);
  }
  EXPECT_EQ(breaker_.openings(), 1) << "it was never closed in between";
}

TEST_F(BreakerTest, AnswersFromBeforeItOpenedDoNotCloseIt) {
  fail(3);
  breaker_.succeeded();
  EXPECT_TRUE(breaker_.is_open());
}

TEST_F(BreakerTest, FailuresFromBeforeItOpenedDoNotMakeItWaitLonger) {
  fail(3);
  fail(5);
  EXPECT_TRUE(breaker_.admit(now_ + seconds(1)));
}

TEST_F(BreakerTest, AWrongAnswerOpensItAtOnce) {
  breaker_.open(now_);
  EXPECT_FALSE(breaker_.admit(now_));
}

}  // namespace
}  // namespace kvasir::store::remote
