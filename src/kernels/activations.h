// Activations as integers, for products with panels (panels.h).
//
// A token's numbers are rounded in groups of 32 columns to integers of 16 bits, which are two bytes
// with signs each: x = scale * (256 * high + low).
//
//   largest = the largest |x| of the group; below kActivationMin all integers and sums are 0
//   scale = largest * kActivationStep
//   integer = round to even(x * (kActivationMax / largest))
//
// The codes of a group lie as the instruction set's products want them; its sums are the same
// for all sets. Constants and plain data only: files built for wide instruction sets include this.
#pragma once

#include <cstdint>

namespace kvasir::kernels {

// Columns that share a scale.
inline constexpr int64_t kActivationGroup = 32;
// 127 * 256 + 127
inline constexpr float kActivationMax = 32639;
inline constexpr float kActivationStep = 1 / kActivationMax;
// Smaller numbers would have no reciprocal.
inline constexpr float kActivationMin = 0x1p-100F;

struct ActivationSums {
  float scale;
  float sum;  // scale * (the sum of the integers), and of each half of the group
  float half_sums[2];
  int32_t integer_sum;
  int32_t integer_half_sums[2];
  int32_t unused;
};

struct ActivationGroup {
  uint8_t codes[2 * kActivationGroup];
  ActivationSums sums;
};

}  // namespace kvasir::kernels
