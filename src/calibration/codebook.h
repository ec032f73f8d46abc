// A NumberHistogram counts weighted numbers between -1 and 1, and finds codebooks for them. A plain
// value.
#pragma once

#include <cstdint>
#include <vector>

namespace kvasir::calibration {

class NumberHistogram {
 public:
  NumberHistogram();

  // Numbers outside count as -1 or 1.
  void add(double number, double weight);

  // Returns the 2^bits entries, ascending, that Lloyd's algorithm ends at. It begins at the
  // weighted quantiles; or at even steps, which it keeps, where nothing was counted.
  std::vector<float> codebook(int bits) const;

 private:
  struct Bin {
    double weight = 0;
    double sum = 0;  // of weight times number
    double mean() const { return sum / weight; }
  };

  std::vector<double> first_entries(int64_t count) const;
  void improve(std::vector<double>& entries) const;

  std::vector<Bin> bins_;
};

}  // namespace kvasir::calibration
