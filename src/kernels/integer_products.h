// Integer products: weights as the small integers that they are stored as (panels.h), activations
// rounded to integers of two bytes or one. Sums of their products are exact, so all instruction
// sets, cuts and orders give equal bits; docs/numerics.md says what the rounding costs.
//
// A token's numbers are rounded in groups of 32 columns to integers. Those of two bytes are bytes
// with signs: 256 * high + low. With m the largest integer, 127 or 127 * 256 + 127,
//
//   largest = the largest |x| of the group; below kActivationMin all integers and sums are 0
//   scale = largest * (1 / m)
//   integer = round to even(x * (m / largest))
//
// With s the scale and q the integers of a group, and w - offset, scale and minimum those of a run
// of a weight row's numbers,
//   y[t, o] = sum over groups of s * (sum over runs of scale * (sum_k (w[o, k] - offset) * q[t, k])
//                                                      + minimum * (sum_k q[t, k]))
// where each term is added with one rounding: groups and runs ascending, the minimum's term behind
// the scale's.
//
// Constants and plain data alone, but for what computes sizes: wide instruction sets include this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/weight_matrix.h"

namespace kvasir::kernels {

// Columns that share a scale.
inline constexpr int64_t kActivationGroup = 32;
constexpr float activation_max(int bytes) { return bytes == 1 ? 127.0F : 32639.0F; }
// Smaller numbers would have no reciprocal.
inline constexpr float kActivationMin = 0x1p-100F;

struct ActivationSums {
  float scale;
  int32_t sum;  // of the integers, and of each half of the group
  int32_t half_sums[2];
};

// The codes lie as the instruction set's products want them; the sums are the same for all sets.
template <int kBytes>
struct ActivationGroup {
  uint8_t codes[kBytes * kActivationGroup];
  ActivationSums sums;
};

// Bytes of the groups of so many numbers, with integers of 1 or 2 bytes.
constexpr int64_t activations_bytes(int64_t numbers, int bytes) {
  constexpr auto kSumsBytes = static_cast<int64_t>(sizeof(ActivationSums));
  return numbers / kActivationGroup * (bytes * kActivationGroup + kSumsBytes);
}

// A kernel table's round_activations takes x [cols] and the bytes of an integer -> groups
// [activations_bytes(cols, bytes)]. Its integer_matmul takes rows [row_begin, row_end), row_begin a
// multiple of kPanelRows, and scratch [panel_bytes] that is private to the call and not touched
// where the weight has panels.
struct IntegerMatmulArgs {
  WeightMatrix weight;           // REQUIRES: is_integer()
  const std::byte* x = nullptr;  // [token_count, cols / kActivationGroup] groups
  float* y = nullptr;            // [token_count, rows], row stride y_stride
  int64_t y_stride = 0;
  int64_t token_count = 0;
};

}  // namespace kvasir::kernels
