// What codecs of uneven codebooks share with those who learn the codebooks. Pure functions.
#pragma once

#include <cstdint>

namespace kvasir::kernels {

// Of a row of values: the middle and half the span of all but its outermost numbers.
struct NuqSpan {
  float center = 0;  // both rounded to half floats
  float half = 0;
};

// How many numbers of a row of values stand apart: one of each begun hundred.
constexpr int64_t nuq_outliers_of_row(int64_t width) { return (width + 99) / 100; }

// row [width] -> outliers [nuq_outliers_of_row(width)], their places, and the span of the rest.
// From the lowest and the highest number that are left, the one that is farther from its neighbour
// goes; of equals the lowest.
NuqSpan nuq_span_of_row(const float* row, int64_t width, uint16_t* outliers);

}  // namespace kvasir::kernels
