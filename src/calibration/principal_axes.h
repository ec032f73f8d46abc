// The eigenvectors of a symmetric matrix. This is the one place that knows Eigen. A pure function;
// any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::calibration {

// matrix [width, width], symmetric -> the first `count` eigenvectors by falling eigenvalue, [count,
// width], of length 1. Of each the component of largest magnitude, of equals the first, is
// positive. Error: they were not found.
Result<std::vector<double>> principal_axes(std::span<const double> matrix, int64_t width,
                                           int64_t count);

}  // namespace kvasir::calibration
