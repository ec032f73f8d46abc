// The sum of x x^T over the vectors x of rows: the matrix whose eigenvectors are their principal
// axes.
#pragma once

#include <cstdint>
#include <vector>

#include "kvasir/study.h"

namespace kvasir::calibration {

// Of one vector of each row: symmetric [width, width]. Each element is a sum in the order of rows.
std::vector<double> second_moments(const LayerRows& rows, int64_t vector);

}  // namespace kvasir::calibration
