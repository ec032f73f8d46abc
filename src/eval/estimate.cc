#include "eval/estimate.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "base/check.h"

namespace kvasir::eval {
namespace {

constexpr double kZ = 1.959963984540054;  // of the normal distribution, for 95 %
// Of Student's distribution with 1, 2, ... degrees of freedom.
constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

// Beyond the table, the first terms of the expansion in 1 / degrees.
double student_quantile(size_t degrees) {
  if (degrees <= std::size(kStudent)) return kStudent[degrees - 1];
  return kZ + (kZ * kZ * kZ + kZ) / (4 * static_cast<double>(degrees));
}

// The sum of neighbouring values.
struct Stretch {
  double sum = 0;
  double count = 0;
};

void add_stretches(const std::vector<double>& values, std::vector<Stretch>& stretches) {
  constexpr auto kLength = static_cast<size_t>(kStretchValues);
  const size_t stretch_count = std::max<size_t>(1, values.size() / kLength);
  for (size_t s = 0; s < stretch_count && !values.empty(); ++s) {
    const size_t end = s + 1 == stretch_count ? values.size() : (s + 1) * kLength;
    Stretch& stretch = stretches.emplace_back();
    for (size_t i = s * kLength; i < end; ++i) stretch.sum += values[i];
    stretch.count = static_cast<double>(end - s * kLength);
  }
}

}  // namespace

Estimate share(int64_t right_count, int64_t count) {
  if (count == 0) return {};
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(right_count) / n;
  const double spread = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 / (1 + kZ * kZ / n);
  const double centre = p + kZ * kZ / (2 * n);
  // The ends are exact where rounding would leave a crumb.
  return {.value = p,
          .low = right_count == 0 ? 0 : std::max(0.0, (centre - spread) * scale),
          .high = right_count == count ? 1 : std::min(1.0, (centre + spread) * scale),
          .count = count};
}

Estimate mean(std::span<const double> values) {
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half = values.size() < 2
                          ? std::numeric_limits<double>::infinity()
                          : student_quantile(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  return {.value = mean, .low = mean - half, .high = mean + half, .count = std::ssize(values)};
}

Estimate SeriesMean::estimate() const {
  if (count == 0) return {};
  const double half =
      stretch_count < 2 ? std::numeric_limits<double>::infinity()
                        : student_quantile(static_cast<size_t>(stretch_count - 1)) * standard_error;
  return {.value = value, .low = value - half, .high = value + half, .count = count};
}

SeriesMean mean_of_series(std::span<const std::vector<double>> series) {
  std::vector<Stretch> stretches;
  for (const std::vector<double>& values : series) add_stretches(values, stretches);
  if (stretches.empty()) return {};
  Stretch all;
  for (const Stretch& one : stretches) {
    all.sum += one.sum;
    all.count += one.count;
  }
  const double mean = all.sum / all.count;
  double squares = 0;
  for (const Stretch& one : stretches) {
    const double deviation = one.sum - mean * one.count;
    squares += deviation * deviation;
  }
  const auto n = static_cast<double>(stretches.size());
  const double error = stretches.size() < 2 ? std::numeric_limits<double>::infinity()
                                            : std::sqrt(squares * n / (n - 1)) / all.count;
  return {.value = mean,
          .standard_error = error,
          .count = static_cast<int64_t>(all.count),
          .stretch_count = std::ssize(stretches)};
}

double quantile(std::vector<double> values, double share) {
  KVASIR_CHECK(!values.empty() && share >= 0 && share <= 1, "a place among values");
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const double next = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (place - static_cast<double>(below)) * (next - values[below]);
}

Estimate mean_difference(std::span<const double> values, std::span<const double> baseline) {
  KVASIR_CHECK(values.size() == baseline.size(), "pairs");
  std::vector<double> differences(values.begin(), values.end());
  for (size_t i = 0; i < differences.size(); ++i) differences[i] -= baseline[i];
  return mean(differences);
}

Estimate share_difference(const std::vector<bool>& right, const std::vector<bool>& baseline) {
  KVASIR_CHECK(right.size() == baseline.size(), "pairs");
  if (right.empty()) return {};
  double gained = 0;
  double lost = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    if (right[i] && !baseline[i]) ++gained;
    if (!right[i] && baseline[i]) ++lost;
  }
  const auto n = static_cast<double>(right.size());
  // Half a pair more of each of the four kinds.
  const double centre = (gained - lost) / (n + 2);
  const double spread =
      kZ * std::sqrt(gained + lost + 1 - (gained - lost) * (gained - lost) / (n + 2)) / (n + 2);
  return {.value = (gained - lost) / n,
          .low = std::max(-1.0, centre - spread),
          .high = std::min(1.0, centre + spread),
          .count = std::ssize(right)};
}

}  // namespace kvasir::eval
