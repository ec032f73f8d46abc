#include "engine/pass_plan.h"

#include <gtest/gtest.h>

namespace kvasir {
namespace {

TEST(PassPaceTest, APieceFitsIntoItsTime) {
  PassPace pace;
  EXPECT_EQ(pace.prefill_tokens_per_ms(), 0);
  EXPECT_EQ(pace.prefill_tokens_within(250), 16);
  pace.add(4, 0, 50);
  pace.add(4, 16, 66);
  EXPECT_EQ(pace.prefill_tokens_within(250), 96);  // 200 ms at 33 ms for 16 tokens
  for (int i = 0; i < 40; ++i) pace.add(4, 100, 150);
  EXPECT_GE(pace.prefill_tokens_within(250), 199);
  EXPECT_LE(pace.prefill_tokens_within(250), 200);
  EXPECT_NEAR(pace.prefill_tokens_per_ms(), 1, 0.01);
}

TEST(PassPaceTest, ASlowPassCountsAtOnce) {
  PassPace pace;
  for (int i = 0; i < 10; ++i) pace.add(0, 100, 100);
  pace.add(0, 100, 1000);
  EXPECT_EQ(pace.prefill_tokens_within(250), 25);
}

TEST(PassPaceTest, PromptsAlwaysGetOn) {
  PassPace pace;
  pace.add(4, 0, 400);
  pace.add(4, 1, 900);
  EXPECT_EQ(pace.prefill_tokens_within(250), 1);
}

// Decoders that take longer than a pass should must not leave a long prompt one token a pass.
TEST(PassPaceTest, PromptsGetHalfOfTheTimeBesideSlowDecoders) {
  PassPace pace;
  pace.add(30, 0, 400);
  for (int i = 0; i < 40; ++i) pace.add(30, 100, 500);
  EXPECT_EQ(pace.prefill_tokens_within(250), 50);  // at 2.5 ms
}

TEST(ShareOutTest, TheShortestGoesFirstAndTheRestIsFilledUp) {
  const PrefillDemand demands[] = {{.left_tokens = 5000, .cut_tokens = 5000},
                                   {.left_tokens = 100, .cut_tokens = 100},
                                   {.left_tokens = 300, .cut_tokens = 50}};
  const auto pieces = share_out(demands, 256, 0);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].demand, 1u);
  EXPECT_EQ(pieces[0].tokens, 100);
  EXPECT_EQ(pieces[1].demand, 2u);
  EXPECT_EQ(pieces[1].tokens, 50);
  EXPECT_EQ(pieces[2].demand, 0u);
  EXPECT_EQ(pieces[2].tokens, 106);
}

TEST(ShareOutTest, WaitingCounts) {
  const PrefillDemand demands[] = {
      {.left_tokens = 501, .cut_tokens = 501},
      {.left_tokens = 20000, .cut_tokens = 20000, .waited_ms = 39'000}};
  EXPECT_EQ(share_out(demands, 100, 0.5)[0].demand, 1u);
  EXPECT_EQ(share_out(demands, 100, 0.4)[0].demand, 0u);
}

TEST(ShareOutTest, NothingIsSharedOutOfNothing) {
  const PrefillDemand demand{.left_tokens = 5, .cut_tokens = 5};
  EXPECT_TRUE(share_out({&demand, 1}, 0, 1).empty());
  EXPECT_TRUE(share_out({}, 100, 1).empty());
}

}  // namespace
}  // namespace kvasir
