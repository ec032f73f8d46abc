#include "calibration/second_moments.h"

#include <algorithm>

namespace kvasir::calibration {
namespace {

// Rows are taken in runs that stay near the processor, and eight sums of a run are formed at once.
// Neither changes an element's order of additions.
constexpr int64_t kRunRows = 64;
constexpr int64_t kSums = 8;

class Moments {
 public:
  explicit Moments(int64_t width)
      : width_(width),
        padded_((width + kSums - 1) / kSums * kSums),
        run_(static_cast<size_t>(kRunRows * padded_)),
        sums_(static_cast<size_t>(width_ * padded_)) {}

  // The next of the run's rows; the padding stays zero.
  void set_row(int64_t index, const float* x) {
    std::copy(x, x + width_, run_.data() + index * padded_);
  }

  // Adds the first `row_count` rows of the run, at and right of the diagonal.
  void add_run(int64_t row_count) {
    for (int64_t i = 0; i < width_; ++i) {
      for (int64_t j = i / kSums * kSums; j < padded_; j += kSums) add_products(i, j, row_count);
    }
  }

  std::vector<double> result() const {
    std::vector<double> matrix(static_cast<size_t>(width_ * width_));
    for (int64_t i = 0; i < width_; ++i) {
      for (int64_t j = 0; j < width_; ++j) {
        matrix[static_cast<size_t>(i * width_ + j)] =
            sums_[static_cast<size_t>(std::min(i, j) * padded_ + std::max(i, j))];
      }
    }
    return matrix;
  }

 private:
  void add_products(int64_t i, int64_t j, int64_t row_count) {
    double* target = sums_.data() + i * padded_ + j;
    double sums[kSums];
    std::copy(target, target + kSums, sums);
    for (int64_t r = 0; r < row_count; ++r) {
      const double* row = run_.data() + r * padded_;
      const double factor = row[i];
      for (int64_t s = 0; s < kSums; ++s) sums[s] += factor * row[j + s];
    }
    std::copy(sums, sums + kSums, target);
  }

  int64_t width_;
  int64_t padded_;
  std::vector<double> run_;
  std::vector<double> sums_;
};

}  // namespace

std::vector<double> second_moments(const LayerRows& rows, int64_t vector) {
  const int64_t stride = rows.vectors * rows.width;
  const int64_t row_count = std::ssize(rows.rows) / stride;
  Moments moments(rows.width);
  for (int64_t begin = 0; begin < row_count; begin += kRunRows) {
    const int64_t count = std::min(kRunRows, row_count - begin);
    for (int64_t r = 0; r < count; ++r) {
      moments.set_row(r, rows.rows.data() + (begin + r) * stride + vector * rows.width);
    }
    moments.add_run(count);
  }
  return moments.result();
}

}  // namespace kvasir::calibration
