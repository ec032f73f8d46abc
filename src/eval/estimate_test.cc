#include "eval/estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kvasir::eval {
namespace {

// Values from the closed formula, computed with 50 digits elsewhere.
TEST(EstimateTest, WilsonIntervals) {
  const Estimate most = share(95, 100);
  EXPECT_DOUBLE_EQ(most.value, 0.95);
  EXPECT_NEAR(most.low, 0.8882495, 1e-7);
  EXPECT_NEAR(most.high, 0.9784563, 1e-7);
  const Estimate none = share(0, 20);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.1611252, 1e-7);
  const Estimate all = share(20, 20);
  EXPECT_NEAR(all.low, 0.8388748, 1e-7);
  EXPECT_EQ(all.high, 1);
  EXPECT_EQ(share(0, 0).count, 0);
}

TEST(EstimateTest, MeansAndPairedDifferences) {
  const std::vector<double> values{1, 2, 3, 4};
  const Estimate average = mean(values);
  EXPECT_DOUBLE_EQ(average.value, 2.5);
  EXPECT_NEAR(average.high - average.value, 3.182 * std::sqrt(5.0 / 3 / 4), 1e-12);
  EXPECT_TRUE(std::isinf(mean(std::vector<double>{7}).high));
  EXPECT_EQ(mean({}).count, 0);
  // The table and what follows it meet: t with 30 degrees is 2.042, with 31 2.040.
  std::vector<double> many(32, 0.0);
  many[0] = 1;
  const Estimate beyond = mean(many);
  EXPECT_NEAR((beyond.high - beyond.value) / (1.0 / 32), 2.040, 0.005);

  // What is common to both drops out of the difference.
  const Estimate difference = mean_difference(values, std::vector<double>{0, 1, 2, 3});
  EXPECT_DOUBLE_EQ(difference.value, 1);
  EXPECT_DOUBLE_EQ(difference.low, 1);
}

// 64 values of 1, 64 of 3 and, as a tail too short to stand alone, 4 of 5 more: stretches of sum 64
// and 212 over 64 and 68 values.
TEST(EstimateTest, NeighboursCountAsOneStretch) {
  std::vector<double> values(64, 1.0);
  values.insert(values.end(), 64, 3.0);
  values.insert(values.end(), 4, 5.0);
  const SeriesMean mean = mean_of_series(std::vector<std::vector<double>>{values});
  const double expected = 276.0 / 132;
  EXPECT_DOUBLE_EQ(mean.value, expected);
  EXPECT_EQ(mean.count, 132);
  EXPECT_EQ(mean.stretch_count, 2);
  const double deviation = 64 * (expected - 1);
  EXPECT_NEAR(mean.standard_error, std::sqrt(2 * 2 * deviation * deviation) / 132, 1e-12);
  EXPECT_NEAR(mean.estimate().high - mean.value, 12.706 * mean.standard_error, 1e-9);

  // A stretch ends where its series does.
  const SeriesMean two = mean_of_series(std::vector<std::vector<double>>{{1, 1}, {3, 3}});
  EXPECT_EQ(two.stretch_count, 2);
  EXPECT_DOUBLE_EQ(two.value, 2);
  EXPECT_TRUE(std::isinf(mean_of_series(std::vector<std::vector<double>>{{1, 2}}).standard_error));
  EXPECT_EQ(mean_of_series({}).estimate().count, 0);
}

TEST(EstimateTest, QuantilesLieBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({0, 10}, 0.99), 9.9);
  EXPECT_DOUBLE_EQ(quantile({4, 8}, 1), 8);
  EXPECT_DOUBLE_EQ(quantile({5}, 0.99), 5);
}

TEST(EstimateTest, PairedSharesKeepAWidthWhenAllAgree) {
  const std::vector<bool> right(98, true);
  const Estimate same = share_difference(right, right);
  EXPECT_EQ(same.value, 0);
  EXPECT_NEAR(same.high, 0.0196, 1e-4);  // 1.96 / (98 + 2)
  EXPECT_NEAR(same.low, -same.high, 1e-12);

  std::vector<bool> worse = right;
  for (size_t i = 0; i < 10; ++i) worse[i] = false;
  const Estimate lost = share_difference(worse, right);
  EXPECT_DOUBLE_EQ(lost.value, -10.0 / 98);
  EXPECT_LT(lost.high, 0);
  EXPECT_LT(lost.low, lost.value);
  EXPECT_EQ(share_difference({}, {}).count, 0);
}

}  // namespace
}  // namespace kvasir::eval
