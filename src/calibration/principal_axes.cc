// Eigen orders its sums by the width of vectors, the number of threads and the sizes of caches.
// None of these may change a bit, so the first two are off and the third is fixed.
#define EIGEN_DONT_VECTORIZE
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_MPL2_ONLY
#include "calibration/principal_axes.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace kvasir::calibration {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

bool fix_cache_sizes() {
  Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20);
  return true;
}

void turn_positive(std::span<double> axis) {
  const auto is_smaller = [](double a, double b) { return std::fabs(a) < std::fabs(b); };
  if (*std::max_element(axis.begin(), axis.end(), is_smaller) >= 0) return;
  for (double& component : axis) component = -component;
}

}  // namespace

Result<std::vector<double>> principal_axes(std::span<const double> matrix, int64_t width,
                                           int64_t count) {
  KVASIR_CHECK(std::ssize(matrix) == width * width && count <= width, "a square matrix");
  [[maybe_unused]] static const bool is_fixed = fix_cache_sizes();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      Eigen::Map<const Matrix>(matrix.data(), width, width));
  if (solver.info() != Eigen::Success) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the principal axes of the rows were not found"};
  }
  std::vector<double> axes(static_cast<size_t>(count * width));
  for (int64_t i = 0; i < count; ++i) {
    const std::span<double> axis =
        std::span(axes).subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
    const auto column = solver.eigenvectors().col(width - 1 - i);  // eigenvalues rise
    std::copy(column.begin(), column.end(), axis.begin());
    turn_positive(axis);
  }
  return axes;
}

}  // namespace kvasir::calibration
