// Integer products: weights as the small integers that they are stored as (panels.h), activations
// rounded to integers of 16 bits. Sums of their products are exact, so all instruction sets, cuts
// and orders give equal bits; docs/numerics.md says what the rounding costs.
//
// A token's numbers are rounded in groups of 32 columns to integers, which are two bytes with signs
// each: x = scale * (256 * high + low).
//
//   largest = the largest |x| of the group; below kActivationMin all integers and sums are 0
//   scale = largest * kActivationStep
//   integer = round to even(x * (kActivationMax / largest))
//
// With s the scale and q the integers of a group, and w - offset, scale and minimum those of a run
// of a weight row's numbers,
//   y[t, o] = sum over runs of scale * s * (sum_k (w[o, k] - offset) * q[t, k])
//                              + minimum * (s * sum_k q[t, k])
// where each term is added with one rounding: runs ascending, the minimum's term behind the
// scale's.
//
// Constants and plain data only: files built for wide instruction sets include this.
#pragma once

#include <cstdint>

#include "kernels/weight_matrix.h"

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

// The codes lie as the instruction set's products want them; the sums are the same for all sets.
struct ActivationGroup {
  uint8_t codes[2 * kActivationGroup];
  ActivationSums sums;
};

// A kernel table's round_activations takes x [cols] -> groups [cols / kActivationGroup]. Its
// integer_matmul takes rows [row_begin, row_end), row_begin a multiple of kPanelRows, and scratch
// [panel_bytes] that is private to the call and not touched where the weight has panels.
struct IntegerMatmulArgs {
  WeightMatrix weight;                 // REQUIRES: coding_of(weight)
  const ActivationGroup* x = nullptr;  // [token_count, cols / kActivationGroup]
  float* y = nullptr;                  // [token_count, rows], row stride y_stride
  int64_t y_stride = 0;
  int64_t token_count = 0;
};

}  // namespace kvasir::kernels
