// Integer products, plainly: straight from the stored codes, number by number.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/panels.h"
#include "kernels/ref/ref_integer.h"

namespace kvasir::kernels {
namespace {

// Codes here are the integers themselves.
int16_t activation(const ActivationGroup& group, int64_t k) {
  int16_t integer;
  std::memcpy(&integer, group.codes + k * 2, sizeof(integer));
  return integer;
}

void round_group(const float* x, ActivationGroup& group) {
  float largest = 0;
  for (int64_t k = 0; k < kActivationGroup; ++k) largest = std::max(largest, std::fabs(x[k]));
  group = {};
  if (largest < kActivationMin) return;
  const float inverse = kActivationMax / largest;
  ActivationSums& sums = group.sums;
  for (int64_t k = 0; k < kActivationGroup; ++k) {
    const auto integer = static_cast<int16_t>(std::lrint(x[k] * inverse));
    std::memcpy(group.codes + k * 2, &integer, sizeof(integer));
    sums.integer_half_sums[k / (kActivationGroup / 2)] += integer;
  }
  sums.scale = largest * kActivationStep;
  sums.integer_sum = sums.integer_half_sums[0] + sums.integer_half_sums[1];
  sums.sum = sums.scale * static_cast<float>(sums.integer_sum);
  for (int half = 0; half < 2; ++half)
    sums.half_sums[half] = sums.scale * static_cast<float>(sums.integer_half_sums[half]);
}

// Adds the terms of one run that begins at column k of a block.
float add_run(const BlockCoding& coding, const BlockCodes& codes, int64_t k,
              const ActivationGroup& group, float sum) {
  int32_t dot = 0;
  int32_t integers = 0;
  for (int64_t i = k; i < k + coding.run_items; ++i) {
    const int16_t x = activation(group, i % kActivationGroup);
    dot += (coding.integer(codes.codes[static_cast<size_t>(i)]) - coding.offset) * x;
    integers += x;
  }
  const int64_t run = k / coding.run_items;
  sum = std::fma(static_cast<float>(dot), run_scale(coding, codes, run) * group.sums.scale, sum);
  if (!coding.has_minima()) return sum;
  const float scaled = group.sums.scale * static_cast<float>(integers);
  return std::fma(run_minimum(coding, codes, run), scaled, sum);
}

float dot_row(const WeightMatrix& weight, int64_t row, const ActivationGroup* x) {
  const BlockCoding& coding = *coding_of(weight);
  const int64_t cols = unit_cols(weight);
  BlockCodes codes{};
  float sum = 0;
  for (int64_t column = 0; column < weight.cols; column += cols) {
    read_codes(weight, row, column, codes);
    for (int64_t k = 0; k < cols; k += coding.run_items)
      sum = add_run(coding, codes, k, x[(column + k) / kActivationGroup], sum);
  }
  return sum;
}

}  // namespace

void ref_round_activations(const float* x, int64_t cols, ActivationGroup* groups) {
  for (int64_t k = 0; k < cols; k += kActivationGroup)
    round_group(x + k, groups[k / kActivationGroup]);
}

void ref_integer_matmul(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end,
                        uint8_t* /*scratch*/) {
  const int64_t groups = args.weight.cols / kActivationGroup;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < args.token_count; ++t)
      args.y[t * args.y_stride + row] = dot_row(args.weight, row, args.x + t * groups);
  }
}

}  // namespace kvasir::kernels
