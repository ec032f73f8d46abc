#include "calibration/facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibration/codebook.h"
#include "calibration/principal_axes.h"
#include "calibration/second_moments.h"
#include "calibration/test_support.h"

namespace kvasir::calibration {
namespace {

using testing::layer_rows;
using testing::normal_rows;
using testing::Normals;

constexpr int64_t kRows = 1000;
constexpr int64_t kVectors = 2;
constexpr int64_t kWidth = 8;
constexpr int64_t kChannels = kVectors * kWidth;

RowFacts learnt(const std::vector<float>& rows, int64_t vectors, int64_t width,
                RowKind kind = RowKind::kKeys) {
  return learn_facts(layer_rows(rows, vectors, width, kind)).value();
}

std::vector<float> channel_of(const std::vector<float>& rows, int64_t channel) {
  std::vector<float> numbers;
  for (size_t i = static_cast<size_t>(channel); i < rows.size(); i += kChannels) {
    numbers.push_back(rows[i]);
  }
  return numbers;
}

// ---- means and spans ----------------------------------------------------------------------------

TEST(Facts, SayOfWhatTheyWereLearnt) {
  const std::vector<float> rows = normal_rows(kRows, kChannels);
  const RowFacts facts =
      learn_facts(layer_rows(rows, kVectors, kWidth, RowKind::kValues, 7)).value();
  EXPECT_EQ(facts.layer, 7);
  EXPECT_EQ(facts.kind, RowKind::kValues);
  EXPECT_EQ(facts.vectors, kVectors);
  EXPECT_EQ(facts.width, kWidth);
  EXPECT_EQ(std::ssize(facts.axes), kVectors * 6 * kWidth);
}

TEST(Facts, MeansAndSpreadAreThoseOfTheRows) {
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) {
    const float sign = r % 2 == 0 ? 1.0f : -1.0f;
    rows.insert(rows.end(), {5 + 2 * sign, -3});
  }
  const RowFacts facts = learnt(rows, 2, 1);
  EXPECT_EQ(facts.means, (std::vector<float>{5, -3}));
  EXPECT_DOUBLE_EQ(facts.variation, 4);
  EXPECT_DOUBLE_EQ(facts.square, 25 + 4 + 9);
}

float sorted_quantile(std::vector<float> numbers, double quantile) {
  std::sort(numbers.begin(), numbers.end());
  const double place = quantile * static_cast<double>(numbers.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const double share = place - std::floor(place);
  return static_cast<float>(numbers[below] * (1 - share) + numbers[below + 1] * share);
}

TEST(Facts, SpansAreOrderStatistics) {
  for (const int64_t row_count : {kRowsMin, int64_t{401}, kRows}) {
    const std::vector<float> rows = normal_rows(row_count, kChannels);
    const RowFacts facts = learnt(rows, kVectors, kWidth);
    for (int64_t i = 0; i < kChannels; ++i) {
      const std::vector<float> numbers = channel_of(rows, i);
      const auto channel = static_cast<size_t>(i);
      EXPECT_NEAR(facts.low[channel], sorted_quantile(numbers, .005), 1e-5);
      EXPECT_NEAR(facts.high[channel], sorted_quantile(numbers, .995), 1e-5);
    }
  }
}

TEST(Facts, SpansOfLargestNumbersAreFinite) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) rows.push_back(r % 2 == 0 ? kLargest : -kLargest);
  const RowFacts facts = learnt(rows, 1, 1);
  EXPECT_EQ(facts.span(0).half, kLargest);
  EXPECT_EQ(facts.span(0).center, 0);
  EXPECT_TRUE(std::isfinite(facts.square));
}

// ---- codebooks ----------------------------------------------------------------------------------

double mean_error(const std::vector<float>& codebook, const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) {
    double least = std::numeric_limits<double>::max();
    for (const float entry : codebook) least = std::min(least, std::fabs(number - entry));
    sum += least * least;
  }
  return sum / static_cast<double>(numbers.size());
}

TEST(Codebook, OfTwoPointsIsThePoints) {
  NumberHistogram histogram;
  for (int i = 0; i < 100; ++i) histogram.add(i % 4 == 0 ? .75 : -.3, 1);
  const std::vector<float> codebook = histogram.codebook(2);
  ASSERT_EQ(codebook.size(), 4u);
  for (const float entry : codebook) EXPECT_TRUE(entry == .75f || entry == -.3f) << entry;
  EXPECT_EQ(codebook.front(), -.3f);
  EXPECT_EQ(codebook.back(), .75f);
}

TEST(Codebook, LosesLessOfNormalNumbersThanAnEvenOne) {
  Normals normals(3);
  std::vector<double> numbers;
  NumberHistogram histogram;
  while (numbers.size() < 20000) {
    const double number = normals.next() / 3.5;
    if (std::fabs(number) > 1) continue;
    numbers.push_back(number);
    histogram.add(number, 1);
  }
  for (const int bits : {2, 3, 4}) {
    const std::vector<float> codebook = histogram.codebook(bits);
    const std::vector<float> even = NumberHistogram().codebook(bits);
    EXPECT_TRUE(std::is_sorted(codebook.begin(), codebook.end()));
    EXPECT_LT(mean_error(codebook, numbers), .75 * mean_error(even, numbers)) << bits;
  }
}

// Lloyd's algorithm over the numbers themselves, from the same start.
TEST(Codebook, IsWhatTheNumbersThemselvesWouldGive) {
  Random random(5);
  std::vector<double> numbers;
  NumberHistogram histogram;
  for (int i = 0; i < 5000; ++i) {
    numbers.push_back(2 * random.unit() * random.unit() - 1);
    histogram.add(numbers.back(), 1);
  }
  std::sort(numbers.begin(), numbers.end());
  std::vector<double> entries(8);
  for (size_t i = 0; i < 8; ++i) entries[i] = numbers[(2 * i + 1) * 5000 / 16];
  for (int step = 0; step < 60; ++step) {
    std::vector<double> sums(8);
    std::vector<double> counts(8);
    for (const double number : numbers) {
      size_t nearest = 0;
      while (nearest < 7 && number > (entries[nearest] + entries[nearest + 1]) / 2) ++nearest;
      sums[nearest] += number;
      ++counts[nearest];
    }
    for (size_t i = 0; i < 8; ++i) entries[i] = sums[i] / counts[i];
  }
  const std::vector<float> codebook = histogram.codebook(3);
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(codebook[i], entries[i], 2e-3) << i;
}

TEST(Codebook, GoesWhereTheWeightIs) {
  NumberHistogram histogram;
  for (int i = 0; i < 1000; ++i) {
    histogram.add(-.5 + i * 1e-4, 100);
    histogram.add(.5 + i * 1e-4, .01);
  }
  const std::vector<float> codebook = histogram.codebook(2);
  EXPECT_LT(codebook[2], -.3f);
}

TEST(Codebook, OfNothingIsEven) {
  EXPECT_EQ(NumberHistogram().codebook(2), (std::vector<float>{-.75f, -.25f, .25f, .75f}));
}

TEST(Facts, CodebooksOfKeysAreOfTheirChannelsSpans) {
  // Channels of two points at the ends of their spans, each at a place and of a size of its own.
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) {
    const float sign = r % 2 == 0 ? 1.0f : -1.0f;
    rows.insert(rows.end(), {100 + sign, 50 * sign, 7});
  }
  for (const RowKind kind : {RowKind::kKeysBeforeRope, RowKind::kKeys, RowKind::kLatents}) {
    const RowFacts facts = learnt(rows, 1, 3, kind);
    EXPECT_EQ(facts.codebook(2).front(), -1);
    EXPECT_EQ(facts.codebook(2).back(), 1);
    EXPECT_EQ(facts.codebook(4).size(), 16u);
    EXPECT_EQ(facts.span(2).half, 0);
  }
}

TEST(Facts, CodebooksOfValuesAreOfTheirRowsSpans) {
  // Rows of two points and one number that stands apart, all of different size.
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) {
    const auto size = static_cast<float>(1 + r % 5);
    rows.insert(rows.end(), {size, -size, size, 1000 * size, -size, -size});
  }
  const RowFacts facts = learnt(rows, 1, 6, RowKind::kValues);
  EXPECT_EQ(facts.codebook(3).front(), -1);
  EXPECT_EQ(facts.codebook(3).back(), 1);
  for (const float entry : facts.codebook(3)) EXPECT_EQ(std::fabs(entry), 1);
}

// ---- axes ---------------------------------------------------------------------------------------

double length_in(const std::vector<double>& direction, const RowFacts& facts, int64_t vector,
                 int64_t axis_end) {
  double sum = 0;
  for (int64_t a = 0; a < axis_end; ++a) {
    double product = 0;
    for (int64_t i = 0; i < facts.width; ++i) {
      const int64_t at = (vector * axis_count(facts.width) + a) * facts.width + i;
      product +=
          direction[static_cast<size_t>(i)] * f16_decode(facts.axes[static_cast<size_t>(at)]);
    }
    sum += product * product;
  }
  return std::sqrt(sum);
}

TEST(Facts, FirstAxesAreWhereRowsLie) {
  // Rows of the second vector lie in a plane, with more along its first direction, and a mean.
  const std::vector<double> first = {.6, .8, 0, 0, 0, 0, 0, 0};
  const std::vector<double> second = {0, 0, .8, 0, -.6, 0, 0, 0};
  Normals normals(9);
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t i = 0; i < kWidth; ++i) rows.push_back(static_cast<float>(normals.next()));
    const double a = 9 + normals.next();
    const double b = 2 * normals.next();
    for (size_t i = 0; i < kWidth; ++i) {
      rows.push_back(static_cast<float>(a * first[i] + b * second[i] + .01 * normals.next()));
    }
  }
  const RowFacts facts = learnt(rows, kVectors, kWidth);
  EXPECT_NEAR(length_in(first, facts, 1, 1), 1, 2e-3);
  EXPECT_NEAR(length_in(second, facts, 1, 1), 0, .05);
  EXPECT_NEAR(length_in(second, facts, 1, 2), 1, 2e-3);
  EXPECT_LT(length_in(first, facts, 0, 2), .99);
}

TEST(Axes, HaveLengthOneStandUprightAndPointForward) {
  const std::vector<float> rows = normal_rows(kRows, 20);
  const auto axes = principal_axes(second_moments(layer_rows(rows, 1, 20), 0), 20, 15).value();
  for (int64_t a = 0; a < 15; ++a) {
    const auto* axis = axes.data() + a * 20;
    for (int64_t b = 0; b <= a; ++b) {
      double product = 0;
      for (int64_t i = 0; i < 20; ++i) product += axis[i] * axes[static_cast<size_t>(b * 20 + i)];
      EXPECT_NEAR(product, a == b ? 1 : 0, 1e-12);
    }
    const auto* largest = std::max_element(
        axis, axis + 20, [](double x, double y) { return std::fabs(x) < std::fabs(y); });
    EXPECT_GT(*largest, 0);
  }
}

TEST(SecondMoments, AreSumsInTheOrderOfRows) {
  const int64_t row_count = 300;  // no multiple of what is summed at once
  const std::vector<float> rows = normal_rows(row_count, 2 * 11);
  const std::vector<double> moments = second_moments(layer_rows(rows, 2, 11), 1);
  for (int64_t i = 0; i < 11; ++i) {
    for (int64_t j = 0; j < 11; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < row_count; ++r) {
        const float* x = rows.data() + r * 22 + 11;
        sum += static_cast<double>(x[i]) * x[j];
      }
      EXPECT_EQ(moments[static_cast<size_t>(i * 11 + j)], sum);
    }
  }
}

// ---- rows that nothing is learnt of -------------------------------------------------------------

void expect_refused(const LayerRows& rows, const std::string& part) {
  const Result<RowFacts> facts = learn_facts(rows);
  ASSERT_FALSE(facts.ok()) << part;
  EXPECT_NE(facts.error().message().find(part), std::string::npos) << facts.error().message();
}

TEST(Facts, AreNotLearntOfTooFewRows) {
  const std::vector<float> rows = normal_rows(kRowsMin - 1, 4);
  expect_refused(layer_rows(rows, 1, 4, RowKind::kKeys, 3), "layer 3, expected at least 256 rows");
}

TEST(Facts, AreNotLearntOfWhatIsNoNumber) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> rows = normal_rows(kRows, 4);
    rows[4 * 700 + 1] = bad;
    expect_refused(layer_rows(rows, 2, 2), "row 700");
  }
}

TEST(Facts, AreNotLearntOfVectorsThatNoCodingTakes) {
  const std::vector<float> rows(static_cast<size_t>(kRowsMin * 4096));
  expect_refused(layer_rows(rows, 1, 4096), "too wide");
}

TEST(Facts, OfZerosAreNoMoreThanZeros) {
  const std::vector<float> rows(static_cast<size_t>(kRowsMin * 4));
  for (const RowKind kind : {RowKind::kKeys, RowKind::kValues}) {
    const RowFacts facts = learnt(rows, 1, 4, kind);
    EXPECT_EQ(facts.square, 0);
    EXPECT_EQ(facts.span(0).half, 0);
    EXPECT_TRUE(std::is_sorted(facts.codebook(4).begin(), facts.codebook(4).end()));
  }
}

}  // namespace
}  // namespace kvasir::calibration
