// Estimates with their 95 % intervals.
#pragma once

#include <cstdint>
#include <span>

namespace kvasir::eval {

struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  int64_t count = 0;  // of what was measured; 0: nothing, and the rest means nothing
};

// The share right_count / count, with Wilson's score interval.
Estimate share(int64_t right_count, int64_t count);

// The mean of independent values, with the normal interval; of one value, the interval is
// unbounded.
Estimate mean(std::span<const double> values);

// The mean of values[i] - baseline[i]: what was measured on the same things differs more surely.
// REQUIRES: as many of each.
Estimate mean_difference(std::span<const double> values, std::span<const double> baseline);

}  // namespace kvasir::eval
