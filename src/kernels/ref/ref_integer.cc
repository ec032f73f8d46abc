// Integer products, plainly: straight from the stored codes, number by number.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/panels.h"
#include "kernels/ref/ref_integer.h"

namespace kvasir::kernels {
namespace {

// Codes here are the integers themselves.
template <int kBytes>
using Integer = std::conditional_t<kBytes == 1, int8_t, int16_t>;

template <int kBytes>
int32_t activation(const ActivationGroup<kBytes>& group, int64_t k) {
  Integer<kBytes> integer;
  std::memcpy(&integer, group.codes + k * kBytes, kBytes);
  return static_cast<int32_t>(integer);
}

template <int kBytes>
void round_group(const float* x, ActivationGroup<kBytes>& group) {
  float largest = 0;
  for (int64_t k = 0; k < kActivationGroup; ++k) largest = std::max(largest, std::fabs(x[k]));
  group = {};
  if (largest < kActivationMin) return;
  constexpr float kIntegerMax = activation_max(kBytes);
  const float inverse = kIntegerMax / largest;
  ActivationSums& sums = group.sums;
  for (int64_t k = 0; k < kActivationGroup; ++k) {
    const auto integer = static_cast<int32_t>(std::lrint(x[k] * inverse));
    const auto code = static_cast<Integer<kBytes>>(integer);
    std::memcpy(group.codes + k * kBytes, &code, kBytes);
    sums.half_sums[k / (kActivationGroup / 2)] += integer;
  }
  sums.scale = largest * (1 / kIntegerMax);
  sums.sum = sums.half_sums[0] + sums.half_sums[1];
}

// Adds the terms of one run that begins at column k of a block, in units of the group's scale.
template <int kBytes>
float add_run(const BlockCoding& coding, const BlockCodes& codes, int64_t k,
              const ActivationGroup<kBytes>& group, float sum) {
  int32_t dot = 0;
  int32_t integers = 0;
  for (int64_t i = k; i < k + coding.run_items; ++i) {
    const int32_t x = activation(group, i % kActivationGroup);
    dot += (coding.integer(codes.codes[static_cast<size_t>(i)]) - coding.offset) * x;
    integers += x;
  }
  const int64_t run = k / coding.run_items;
  sum = std::fma(static_cast<float>(dot), run_scale(coding, codes, run), sum);
  if (!coding.has_minima()) return sum;
  return std::fma(run_minimum(coding, codes, run), static_cast<float>(integers), sum);
}

template <int kBytes>
float dot_row(const WeightMatrix& weight, int64_t row, const ActivationGroup<kBytes>* x) {
  const BlockCoding& coding = *coding_of(weight);
  const int64_t cols = unit_cols(weight);
  BlockCodes codes{};
  float sum = 0;
  for (int64_t column = 0; column < weight.cols; column += cols) {
    read_codes(weight, row, column, codes);
    for (int64_t k = 0; k < cols; k += kActivationGroup) {
      const ActivationGroup<kBytes>& group = x[(column + k) / kActivationGroup];
      float of_group = 0;
      for (int64_t run = k; run < k + kActivationGroup; run += coding.run_items)
        of_group = add_run(coding, codes, run, group, of_group);
      sum = std::fma(of_group, group.sums.scale, sum);
    }
  }
  return sum;
}

template <int kBytes>
void round_all(const float* x, int64_t cols, std::byte* target) {
  auto* groups = reinterpret_cast<ActivationGroup<kBytes>*>(target);
  for (int64_t k = 0; k < cols; k += kActivationGroup)
    round_group(x + k, groups[k / kActivationGroup]);
}

template <int kBytes>
void multiply_rows(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end) {
  const auto* x = reinterpret_cast<const ActivationGroup<kBytes>*>(args.x);
  const int64_t groups = args.weight.cols / kActivationGroup;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < args.token_count; ++t)
      args.y[t * args.y_stride + row] = dot_row(args.weight, row, x + t * groups);
  }
}

}  // namespace

void ref_round_activations(const float* x, int64_t cols, int bytes, std::byte* groups) {
  if (bytes == 1) return round_all<1>(x, cols, groups);
  round_all<2>(x, cols, groups);
}

void ref_integer_matmul(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end,
                        uint8_t* /*scratch*/) {
  if (args.weight.activation_bytes == 1) return multiply_rows<1>(args, row_begin, row_end);
  multiply_rows<2>(args, row_begin, row_end);
}

}  // namespace kvasir::kernels
