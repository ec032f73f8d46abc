// Estimates with their 95 % intervals.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvasir::eval {

struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  int64_t count = 0;  // of what was measured; 0: nothing, and the rest means nothing
};

// The share right_count / count, with Wilson's score interval.
Estimate share(int64_t right_count, int64_t count);

// The mean of independent values, with Student's interval; of one value it is unbounded.
Estimate mean(std::span<const double> values);

// What was measured on the same things differs more surely. REQUIRES: as many of each.
// The mean of values[i] - baseline[i].
Estimate mean_difference(std::span<const double> values, std::span<const double> baseline);
// The same for shares, each answer right or not: the interval of Agresti and Min, which has a width
// also where all answers agree.
Estimate share_difference(const std::vector<bool>& right, const std::vector<bool>& baseline);

}  // namespace kvasir::eval
