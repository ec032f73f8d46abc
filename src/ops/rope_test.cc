#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvasir::ops {
namespace {

TEST(Rope, FrequenciesFallByPowersOfTheta) {
  const auto frequencies = rope_frequencies({.theta = 10000}, 8);
  ASSERT_EQ(frequencies.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(frequencies[i], std::pow(10000.0, -2.0 * static_cast<double>(i) / 8));
  }
}

// Fast pairs keep their pace, slow ones take the factor, those in between lie in between.
TEST(Rope, YarnSlowsTheSlowPairs) {
  const RopeSettings plain{.theta = 10000};
  const RopeSettings scaled{
      .theta = 10000, .has_yarn = true, .yarn = {.factor = 16, .original_context = 4096}};
  const auto before = rope_frequencies(plain, 64);
  const auto after = rope_frequencies(scaled, 64);
  EXPECT_DOUBLE_EQ(after.front(), before.front());
  EXPECT_DOUBLE_EQ(after.back(), before.back() / 16);
  double last_ratio = 1;
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_LE(after[i] / before[i], last_ratio + 1e-12) << i;
    last_ratio = after[i] / before[i];
  }
}

// A float32 angle of this size would be off by hundredths.
TEST(Rope, AnglesAreRightAtAMillionTokens) {
  RopeTable table({1.0, 0.01}, 2);
  EXPECT_EQ(table.add(0), 0);
  EXPECT_EQ(table.add(1'000'003), 1);
  EXPECT_EQ(table.cos(0)[0], 1);
  EXPECT_EQ(table.sin(0)[1], 0);
  EXPECT_FLOAT_EQ(table.cos(1)[0], static_cast<float>(std::cos(1'000'003.0)));
  EXPECT_FLOAT_EQ(table.sin(1)[1], static_cast<float>(std::sin(10'000.03)));
  EXPECT_EQ(table.negated_sin(1)[1], -table.sin(1)[1]);
  EXPECT_EQ(table.dim(), 4);
}

TEST(Rope, AFullTableTakesNoMore) {
  RopeTable table({1.0}, 1);
  table.add(7);
  EXPECT_DEATH(table.add(8), "room");
  table.clear();
  EXPECT_EQ(table.add(9), 0);
}

}  // namespace
}  // namespace kvasir::ops
