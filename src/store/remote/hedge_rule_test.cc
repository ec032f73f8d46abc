#include "store/remote/hedge_rule.h"

#include <gtest/gtest.h>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using Kind = HedgeRule::Kind;

void answer(HedgeRule& rule, Kind kind, int64_t size, int from_ms, int to_ms) {
  for (int ms = from_ms; ms <= to_ms; ++ms) rule.answered(kind, size, milliseconds(ms));
}

TEST(HedgeRuleTest, TooFewAnswersSayNothing) {
  HedgeRule rule;
  answer(rule, Kind::kRead, 1000, 1, HedgeRule::kAnswersMin - 1);
  EXPECT_FALSE(rule.begin(Kind::kRead, 1000));
  rule.answered(Kind::kRead, 1000, milliseconds(1));
  EXPECT_TRUE(rule.begin(Kind::kRead, 1000));
}

TEST(HedgeRuleTest, WaitsLongerThanNinetyFiveOfTheLastHundredTook) {
  HedgeRule rule;
  answer(rule, Kind::kRead, 1000, 10'001, 10'050);  // forgotten by the next hundred
  answer(rule, Kind::kRead, 1000, 1, 100);
  EXPECT_EQ(rule.begin(Kind::kRead, 1000), milliseconds(96));
}

TEST(HedgeRuleTest, KindsAndSizesAreNotMixed) {
  HedgeRule rule;
  answer(rule, Kind::kRead, 4'000'000, 901, 1000);
  answer(rule, Kind::kRead, 10'000, 101, 200);
  answer(rule, Kind::kProbe, 4'000'000, 1, 100);
  EXPECT_EQ(rule.begin(Kind::kRead, 3'000'000), milliseconds(996));
  EXPECT_EQ(rule.begin(Kind::kRead, 9'000), milliseconds(196));
  EXPECT_EQ(rule.begin(Kind::kProbe, 4'000'000), milliseconds(96));
  EXPECT_FALSE(rule.begin(Kind::kRead, 100'000));
  EXPECT_FALSE(rule.begin(Kind::kRead, int64_t{1} << 62));
}

TEST(HedgeRuleTest, OneRequestInTwentyAtMostIsAskedTwice) {
  HedgeRule rule;
  int64_t taken = 0;
  for (int64_t requests = 1; requests <= 1000; ++requests) {
    rule.begin(Kind::kProbe, 1);
    taken += rule.take();
    EXPECT_LE(taken * 20, requests);
  }
  EXPECT_GE(taken, 49);
  EXPECT_EQ(rule.hedged_requests(), taken);
}

TEST(HedgeRuleTest, WhatIsNotUsedUpIsKeptForFewOnly) {
  HedgeRule rule;
  for (int i = 0; i < 10'000; ++i) rule.begin(Kind::kProbe, 1);
  int taken = 0;
  while (rule.take()) ++taken;
  EXPECT_GT(taken, 2);
  EXPECT_LT(taken, 10);
}

}  // namespace
}  // namespace kvasir::store::remote
