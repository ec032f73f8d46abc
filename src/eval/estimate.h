// An Estimate is a measured value with its 95 % interval.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvasir::eval {

struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  int64_t count = 0;  // how many things were measured; with 0 the rest means nothing
};

// Returns the share right_count / count, with Wilson's score interval.
Estimate share(int64_t right_count, int64_t count);

// Returns the mean of independent values, with Student's interval. Of one value it is unbounded.
Estimate mean(std::span<const double> values);

// A SeriesMean is the mean of values whose neighbours are alike, as those of a text's tokens are.
struct SeriesMean {
  double value = 0;
  double standard_error = 0;
  int64_t count = 0;

  Estimate estimate() const;

  int64_t stretch_count = 0;  // of which the standard error was made
};

inline constexpr int64_t kStretchValues = 64;

// Returns the mean of all values. Stretches of kStretchValues neighbours, the last one of a series
// up to twice as long, count as independent: their means give the standard error (a ratio
// estimate, as the stretches are not all alike long). Of one stretch it is unbounded.
SeriesMean mean_of_series(std::span<const std::vector<double>> series);

// Returns the value below which a share of the values lies, between neighbours in proportion.
// REQUIRES: there are some.
double quantile(std::vector<double> values, double share);

// Two runs over the same questions are compared question by question, which gives narrower
// intervals than comparing their means. REQUIRES: as many of each. The mean of values[i] -
// baseline[i].
Estimate mean_difference(std::span<const double> values, std::span<const double> baseline);
// The same for shares, each answer right or not: the interval of Agresti and Min, which has a width
// also where all answers agree.
Estimate share_difference(const std::vector<bool>& right, const std::vector<bool>& baseline);

}  // namespace kvasir::eval
