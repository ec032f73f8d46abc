// A Vec is sixteen float lanes in two registers: what the kernels need of AVX2, FMA and F16C, under
// the same names as in vec_avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/vec.h"
#include "kernels/x86/vec_common.h"

namespace kvasir::kernels::avx2 {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kPartLanes = 8;

// Sixteen registers hold the sums of a block and what is multiplied.
constexpr int kDotTokens = 3;
constexpr int kAcrossTokens = 4;
constexpr int kAcrossVecs = 1;
constexpr int kRowsAtOnce = 2;
constexpr int kDirectRows[] = {0, 4, 2};
constexpr int kBlockRows = 4;
constexpr int kValueHeads = 3;
constexpr int kValueVecs = 2;
constexpr int kPassVecs = 1;
constexpr int kCodeVecs = 1;
constexpr int kPeakChains = 6;

using Part = __m256;
struct Vec {
  Part low;
  Part high;
};
struct VecInt {
  __m256i low;
  __m256i high;
};
using Mask = VecInt;

KVASIR_INLINE Vec operator+(Vec a, Vec b) { return {a.low + b.low, a.high + b.high}; }
KVASIR_INLINE Vec operator-(Vec a, Vec b) { return {a.low - b.low, a.high - b.high}; }
KVASIR_INLINE Vec operator*(Vec a, Vec b) { return {a.low * b.low, a.high * b.high}; }
KVASIR_INLINE Vec operator/(Vec a, Vec b) { return {a.low / b.low, a.high / b.high}; }

// ---- whole and partial vectors

// REQUIRES: 0 <= count <= kLanes.
KVASIR_INLINE Mask first_lanes(int64_t count) {
  const __m256i ends = _mm256_set1_epi32(static_cast<int32_t>(count));
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_cmpgt_epi32(ends, lanes),
          _mm256_cmpgt_epi32(ends, _mm256_add_epi32(lanes, _mm256_set1_epi32(8)))};
}

KVASIR_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
KVASIR_INLINE Vec broadcast(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
KVASIR_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
KVASIR_INLINE Vec load(const float* p, Mask mask) {
  return {_mm256_maskload_ps(p, mask.low), _mm256_maskload_ps(p + 8, mask.high)};
}
KVASIR_INLINE void store(float* p, Vec v) {
  _mm256_storeu_ps(p, v.low);
  _mm256_storeu_ps(p + 8, v.high);
}
KVASIR_INLINE void store(float* p, Vec v, Mask mask) {
  _mm256_maskstore_ps(p, mask.low, v.low);
  _mm256_maskstore_ps(p + 8, mask.high, v.high);
}

KVASIR_INLINE Part& part_of(Vec& v, int part) { return part == 0 ? v.low : v.high; }
KVASIR_INLINE Part broadcast_part(float value) { return _mm256_set1_ps(value); }
KVASIR_INLINE Part load_part(const float* p) { return _mm256_loadu_ps(p); }
KVASIR_INLINE Part load_part(const float* p, Mask mask, int part) {
  return _mm256_maskload_ps(p, part == 0 ? mask.low : mask.high);
}

// ---- arithmetic

// a * b + c, rounded once
KVASIR_INLINE Part fma(Part a, Part b, Part c) { return _mm256_fmadd_ps(a, b, c); }
KVASIR_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)};
}
KVASIR_INLINE Vec max(Vec a, Vec b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
KVASIR_INLINE Vec min(Vec a, Vec b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
KVASIR_INLINE Vec abs(Vec a) {
  const Part sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
KVASIR_INLINE Vec round_to_even(Vec a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, kMode), _mm256_round_ps(a.high, kMode)};
}
KVASIR_INLINE Part scale_by_power_of_two(Part a, Part n) {
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const __m256i half_bits = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i rest_bits = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
  return a * _mm256_castsi256_ps(half_bits) * _mm256_castsi256_ps(rest_bits);
}
// a * 2^n, rounded once. In two steps, because 2^n itself may be out of range; the first one is
// exact. REQUIRES: n integral, |n| <= 250; a in [0.5, 2].
KVASIR_INLINE Vec scale_by_power_of_two(Vec a, Vec n) {
  return {scale_by_power_of_two(a.low, n.low), scale_by_power_of_two(a.high, n.high)};
}
// Lane by lane: a < b ? x : y
KVASIR_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return {_mm256_blendv_ps(y.low, x.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.high, x.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}
KVASIR_INLINE Vec select(Vec v, Mask mask, Vec otherwise) {
  return {_mm256_blendv_ps(otherwise.low, v.low, _mm256_castsi256_ps(mask.low)),
          _mm256_blendv_ps(otherwise.high, v.high, _mm256_castsi256_ps(mask.high))};
}

// ---- integers and bits

KVASIR_INLINE VecInt bits(Vec v) {
  return {_mm256_castps_si256(v.low), _mm256_castps_si256(v.high)};
}
KVASIR_INLINE Vec from_bits(VecInt v) {
  return {_mm256_castsi256_ps(v.low), _mm256_castsi256_ps(v.high)};
}
KVASIR_INLINE VecInt broadcast_int(int32_t value) {
  return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}
KVASIR_INLINE VecInt add_int(VecInt a, VecInt b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
KVASIR_INLINE VecInt sub_int(VecInt a, VecInt b) {
  return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}
KVASIR_INLINE VecInt and_bits(VecInt a, VecInt b) {
  return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
KVASIR_INLINE VecInt or_bits(VecInt a, VecInt b) {
  return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}
template <int kCount>
KVASIR_INLINE VecInt shift_right(VecInt a) {
  return {_mm256_srli_epi32(a.low, kCount), _mm256_srli_epi32(a.high, kCount)};
}
template <int kCount>
KVASIR_INLINE VecInt shift_left(VecInt a) {
  return {_mm256_slli_epi32(a.low, kCount), _mm256_slli_epi32(a.high, kCount)};
}
KVASIR_INLINE Vec to_float(VecInt a) {
  return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
// Round to nearest even.
KVASIR_INLINE VecInt to_int(Vec a) {
  return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
}

// ---- across lanes. Sums always pair lanes 8 apart, then 4, 2, 1.

KVASIR_INLINE float first_lane(Vec v) { return _mm256_cvtss_f32(v.low); }

// Within a part: lane l gets lane l ^ kDistance.
template <int64_t kDistance>
KVASIR_INLINE Part swap_part_lanes(Part v) {
  if constexpr (kDistance == 1) return _mm256_permute_ps(v, 0xb1);
  if constexpr (kDistance == 2) return _mm256_permute_ps(v, 0x4e);
  if constexpr (kDistance == 4) return _mm256_permute2f128_ps(v, v, 0x01);
}
template <int64_t kDistance>
KVASIR_INLINE Vec swap_lanes(Vec v) {
  if constexpr (kDistance == 8) return {v.high, v.low};
  if constexpr (kDistance < 8)
    return {swap_part_lanes<kDistance>(v.low), swap_part_lanes<kDistance>(v.high)};
}

// The first sum of reduce_add; reduce_add_4 goes on with it.
KVASIR_INLINE Part add_parts(Vec v) { return v.low + v.high; }

KVASIR_INLINE float reduce_add(Vec v) {
  Part sum = add_parts(v);
  sum = sum + swap_part_lanes<4>(sum);
  sum = sum + swap_part_lanes<2>(sum);
  return _mm256_cvtss_f32(sum + swap_part_lanes<1>(sum));
}

KVASIR_INLINE float reduce_max(Vec v) {
  Part largest = _mm256_max_ps(v.low, v.high);
  largest = _mm256_max_ps(largest, swap_part_lanes<4>(largest));
  largest = _mm256_max_ps(largest, swap_part_lanes<2>(largest));
  return _mm256_cvtss_f32(_mm256_max_ps(largest, swap_part_lanes<1>(largest)));
}

// Lanes 4, 2 and 1 apart joined by `join`: the first lane of each.
template <class Join>
KVASIR_INLINE FourFloats reduce_4(Part a, Part b, Part c, Part d, const Join& join) {
  const Part ab = join(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  const Part cd = join(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
  // Now [a | b] and [c | d], four partial results each.
  const Part acbd = join(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
  // Per half: two of a, two of c | two of b, two of d.
  const Part joined = join(acbd, swap_part_lanes<1>(acbd));
  const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0);
  return _mm256_castps256_ps128(_mm256_permutevar8x32_ps(joined, order));
}

// The four sums, each with the bits of reduce_add.
KVASIR_INLINE FourFloats reduce_add_4(Part a, Part b, Part c, Part d) {
  return reduce_4(a, b, c, d, [](Part x, Part y) KVASIR_LAMBDA_INLINE { return x + y; });
}
KVASIR_INLINE FourFloats reduce_add_4(Vec a, Vec b, Vec c, Vec d) {
  return reduce_add_4(add_parts(a), add_parts(b), add_parts(c), add_parts(d));
}

// The same of the largest.
KVASIR_INLINE FourFloats reduce_max_4(Vec a, Vec b, Vec c, Vec d) {
  return reduce_4(_mm256_max_ps(a.low, a.high), _mm256_max_ps(b.low, b.high),
                  _mm256_max_ps(c.low, c.high), _mm256_max_ps(d.low, d.high),
                  [](Part x, Part y) KVASIR_LAMBDA_INLINE { return _mm256_max_ps(x, y); });
}

// A 4 x 4 matrix, row by row: each lane gets the sum of its column.
KVASIR_INLINE Vec column_sums(Vec m) {
  const Part pairs = m.low + m.high;
  const Part sums = pairs + swap_part_lanes<4>(pairs);
  return {sums, sums};
}

// a * b - c in even lanes, a * b + c in odd lanes
KVASIR_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) {
  return {_mm256_fmaddsub_ps(a.low, b.low, c.low), _mm256_fmaddsub_ps(a.high, b.high, c.high)};
}

// Compilers would rather read it again from memory where registers are just enough, and loads
// are what such loops wait for.
KVASIR_INLINE void keep_in_register(Part& part) { asm("" : "+x"(part)); }

// Equal values would be computed once: hides from the compiler what this one is.
KVASIR_INLINE void forget(Vec& v) {
  kernels::forget(v.low);
  kernels::forget(v.high);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
