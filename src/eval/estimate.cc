#include "eval/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"

namespace kvasir::eval {
namespace {

constexpr double kZ = 1.959963984540054;  // of the normal distribution, for 95 %

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
  const double half = values.size() < 2 ? std::numeric_limits<double>::infinity()
                                        : kZ * std::sqrt(squares / (n - 1) / n);
  return {.value = mean, .low = mean - half, .high = mean + half, .count = std::ssize(values)};
}

Estimate mean_difference(std::span<const double> values, std::span<const double> baseline) {
  KVASIR_CHECK(values.size() == baseline.size(), "pairs");
  std::vector<double> differences(values.begin(), values.end());
  for (size_t i = 0; i < differences.size(); ++i) differences[i] -= baseline[i];
  return mean(differences);
}

}  // namespace kvasir::eval
