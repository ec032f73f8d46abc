// Helpers of codecs that round a group of values to a grid with one scale. Pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace kvasir::kernels {

// -0 becomes +0; a negative value that rounds to zero keeps its sign.
inline float plus_zero(float value) { return value + 0.0f; }

inline float largest_magnitude(const float* values, int64_t size) {
  float largest = 0;
  for (int64_t i = 0; i < size; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest;
}

// The whole part of a value as a code of 0 to `top`.
inline uint8_t clamped_code(float value, float top) {
  // The 0 first: it is what remains of a value that is no number.
  return static_cast<uint8_t>(std::min(std::max(0.0f, value), top));
}

}  // namespace kvasir::kernels
