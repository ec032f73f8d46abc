#include "store/remote/s3/transfer_pace.h"

#include <gtest/gtest.h>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using Verdict = TransferPace::Verdict;

class TransferPaceTest : public ::testing::Test {
 protected:
  static constexpr Clock::time_point at(int64_t ms) { return Clock::time_point(milliseconds(ms)); }

  LinkLimits limits_{milliseconds(100), milliseconds(1000), 1'000'000};
};

TEST_F(TransferPaceTest, ConnectionHasItsTime) {
  TransferPace pace(limits_, 0, at(0));
  EXPECT_EQ(pace.next_look(), at(100));
  EXPECT_EQ(pace.look({}, at(99)), Verdict::kGoesOn);
  EXPECT_EQ(pace.look({}, at(100)), Verdict::kNoConnection);
}

TEST_F(TransferPaceTest, AnswerHasItsTimeFromTheConnectionOn) {
  TransferPace pace(limits_, 0, at(0));
  EXPECT_EQ(pace.look({.is_connected = true}, at(50)), Verdict::kGoesOn);
  EXPECT_EQ(pace.next_look(), at(1050));
  EXPECT_EQ(pace.look({.is_connected = true}, at(1049)), Verdict::kGoesOn);
  EXPECT_EQ(pace.look({.is_connected = true}, at(1050)), Verdict::kNoAnswer);
}

// A request of 2 MB has 2 s more, because the system may have taken all of it and sent nothing.
TEST_F(TransferPaceTest, AnswerToALongRequestHasTimeForItsWay) {
  TransferPace pace(limits_, 2'000'000, at(0));
  const TransferPace::Progress sent{.is_connected = true, .moved_bytes = 2'000'000};
  EXPECT_EQ(pace.look(sent, at(10)), Verdict::kGoesOn);
  EXPECT_EQ(pace.look(sent, at(3009)), Verdict::kGoesOn);
  EXPECT_EQ(pace.look(sent, at(3010)), Verdict::kNoAnswer);
}

TEST_F(TransferPaceTest, EverySecondOfSendingMovesEnough) {
  TransferPace pace(limits_, 9'000'000, at(0));
  TransferPace::Progress progress{.is_connected = true, .unsent_bytes = 9'000'000};
  EXPECT_EQ(pace.look(progress, at(0)), Verdict::kGoesOn);
  progress.moved_bytes = 1'000'000;
  EXPECT_EQ(pace.look(progress, at(1000)), Verdict::kGoesOn);
  progress.moved_bytes = 1'999'999;
  EXPECT_EQ(pace.look(progress, at(1999)), Verdict::kGoesOn);
  EXPECT_EQ(pace.look(progress, at(2000)), Verdict::kTooSlow);
}

TEST_F(TransferPaceTest, EverySecondOfReceivingMovesEnough) {
  TransferPace pace(limits_, 0, at(0));
  TransferPace::Progress progress{.is_connected = true, .moved_bytes = 1, .has_answer = true};
  EXPECT_EQ(pace.look(progress, at(500)), Verdict::kGoesOn);
  progress.moved_bytes += 1'000'000;
  EXPECT_EQ(pace.look(progress, at(1500)), Verdict::kGoesOn);
  EXPECT_EQ(pace.next_look(), at(2500));
  EXPECT_EQ(pace.look(progress, at(2500)), Verdict::kTooSlow);
}

}  // namespace
}  // namespace kvasir::store::remote
