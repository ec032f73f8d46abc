// A Histogram counts values by upper bounds, as Prometheus does. A plain value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kvasir {

struct Histogram {
  std::vector<double> bounds;   // ascending; the last bucket has none
  std::vector<int64_t> counts;  // [bounds + 1], not cumulated
  double sum = 0;
  int64_t count = 0;

  void add(double value) {
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
    ++counts[static_cast<size_t>(bucket)];
    sum += value;
    ++count;
  }
};

inline Histogram make_histogram(std::vector<double> bounds) {
  const size_t bucket_count = bounds.size() + 1;
  return {.bounds = std::move(bounds), .counts = std::vector<int64_t>(bucket_count)};
}

}  // namespace kvasir
