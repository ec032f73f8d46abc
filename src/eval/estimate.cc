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
