// A Vec is eight float lanes: what the kernels need of AVX2, FMA and F16C, under the same names as
// in vec_avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/vec.h"
#include "kernels/x86/vec_common.h"

namespace kvasir::kernels::avx2 {
namespace {

constexpr int64_t kLanes = 8;

using Vec = __m256;
using VecInt = __m256i;
using Mask = __m256i;

// ---- whole and partial vectors

// REQUIRES: 0 <= count <= kLanes.
KVASIR_INLINE Mask first_lanes(int64_t count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)), lanes);
}

KVASIR_INLINE Vec zero() { return _mm256_setzero_ps(); }
KVASIR_INLINE Vec broadcast(float value) { return _mm256_set1_ps(value); }
KVASIR_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
KVASIR_INLINE Vec load(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask); }
KVASIR_INLINE void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
KVASIR_INLINE void store(float* p, Vec v, Mask mask) { _mm256_maskstore_ps(p, mask, v); }

// ---- arithmetic

// a * b + c, rounded once
KVASIR_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
KVASIR_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
KVASIR_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
KVASIR_INLINE Vec abs(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
KVASIR_INLINE Vec round_to_even(Vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a * 2^n. Two steps, because 2^n itself may be out of range; the first one is exact. REQUIRES: n
// integral, |n| <= 250.
KVASIR_INLINE Vec scale_by_power_of_two(Vec a, Vec n) {
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const __m256i half_bits = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i rest_bits = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
  return a * _mm256_castsi256_ps(half_bits) * _mm256_castsi256_ps(rest_bits);
}
// Lane by lane: a < b ? x : y
KVASIR_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
KVASIR_INLINE Vec select(Vec v, Mask mask, Vec otherwise) {
  return _mm256_blendv_ps(otherwise, v, _mm256_castsi256_ps(mask));
}

// ---- integers and bits

KVASIR_INLINE VecInt bits(Vec v) { return _mm256_castps_si256(v); }
KVASIR_INLINE Vec from_bits(VecInt v) { return _mm256_castsi256_ps(v); }
KVASIR_INLINE VecInt broadcast_int(int32_t value) { return _mm256_set1_epi32(value); }
KVASIR_INLINE VecInt load_bytes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KVASIR_INLINE VecInt add_int(VecInt a, VecInt b) { return _mm256_add_epi32(a, b); }
KVASIR_INLINE VecInt sub_int(VecInt a, VecInt b) { return _mm256_sub_epi32(a, b); }
KVASIR_INLINE VecInt and_bits(VecInt a, VecInt b) { return _mm256_and_si256(a, b); }
KVASIR_INLINE VecInt or_bits(VecInt a, VecInt b) { return _mm256_or_si256(a, b); }
template <int kCount>
KVASIR_INLINE VecInt shift_right(VecInt a) {
  return _mm256_srli_epi32(a, kCount);
}
KVASIR_INLINE Vec to_float(VecInt a) { return _mm256_cvtepi32_ps(a); }
// Round to nearest even.
KVASIR_INLINE VecInt to_int(Vec a) { return _mm256_cvtps_epi32(a); }
KVASIR_INLINE void store_int(int32_t* p, VecInt a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
}

// Stores the low byte or half of the first count lanes.
KVASIR_INLINE void store_bytes(uint8_t* p, VecInt a, int64_t count) {
  int32_t lanes[kLanes];
  store_int(lanes, a);
  for (int64_t i = 0; i < count; ++i) p[i] = static_cast<uint8_t>(lanes[i]);
}
KVASIR_INLINE void store_halves(uint8_t* p, VecInt a, int64_t count) {
  int32_t lanes[kLanes];
  store_int(lanes, a);
  for (int64_t i = 0; i < count; ++i) {
    p[2 * i] = static_cast<uint8_t>(lanes[i]);
    p[2 * i + 1] = static_cast<uint8_t>(lanes[i] >> 8);
  }
}

// ---- across lanes. Sums always pair lanes 4 apart, then 2, 1.

KVASIR_INLINE float first_lane(Vec v) { return _mm256_cvtss_f32(v); }

// Lane l gets lane l ^ kDistance.
template <int64_t kDistance>
KVASIR_INLINE Vec swap_lanes(Vec v) {
  if constexpr (kDistance == 1) return _mm256_permute_ps(v, 0xb1);
  if constexpr (kDistance == 2) return _mm256_permute_ps(v, 0x4e);
  if constexpr (kDistance == 4) return _mm256_permute2f128_ps(v, v, 0x01);
}

KVASIR_INLINE float reduce_add(Vec v) {
  v = v + swap_lanes<4>(v);
  v = v + swap_lanes<2>(v);
  return first_lane(v + swap_lanes<1>(v));
}

KVASIR_INLINE float reduce_max(Vec v) {
  v = max(v, swap_lanes<4>(v));
  v = max(v, swap_lanes<2>(v));
  return first_lane(max(v, swap_lanes<1>(v)));
}

// The four sums, each with the bits of reduce_add.
KVASIR_INLINE FourFloats reduce_add_4(Vec a, Vec b, Vec c, Vec d) {
  const Vec ab = _mm256_permute2f128_ps(a, b, 0x20) + _mm256_permute2f128_ps(a, b, 0x31);
  const Vec cd = _mm256_permute2f128_ps(c, d, 0x20) + _mm256_permute2f128_ps(c, d, 0x31);
  // Now [a | b] and [c | d], four partial sums each.
  const Vec acbd = _mm256_shuffle_ps(ab, cd, 0x44) + _mm256_shuffle_ps(ab, cd, 0xee);
  // Per half: two of a, two of c | two of b, two of d.
  const Vec sums = acbd + swap_lanes<1>(acbd);
  const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0);
  return _mm256_castps256_ps128(_mm256_permutevar8x32_ps(sums, order));
}

// The same of the largest.
KVASIR_INLINE FourFloats reduce_max_4(Vec a, Vec b, Vec c, Vec d) {
  const Vec ab = max(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  const Vec cd = max(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
  const Vec acbd = max(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
  const Vec largest = max(acbd, swap_lanes<1>(acbd));
  const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0);
  return _mm256_castps256_ps128(_mm256_permutevar8x32_ps(largest, order));
}

// A 4 x 4 matrix, row by row: each lane gets the sum of its column.
KVASIR_INLINE Vec column_sums(const Vec* m) {
  const Vec pairs = m[0] + m[1];
  return pairs + swap_lanes<4>(pairs);
}

// The first half of the lanes from memory, each one twice: c0 c0 c1 c1 ...
KVASIR_INLINE Vec load_twice(const float* p, Mask pair_mask) {
  const __m128 v = _mm_maskload_ps(p, _mm256_castsi256_si128(pair_mask));
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(v), twice);
}
// a * b - c in even lanes, a * b + c in odd lanes
KVASIR_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) { return _mm256_fmaddsub_ps(a, b, c); }

// ---- stored number formats, natural lane order. The partial loads touch `count` elements only.

// The first `bytes` bytes, zeros after them. REQUIRES: bytes <= 16.
KVASIR_INLINE __m128i load_partial(const uint8_t* p, int64_t bytes) {
  uint8_t copy[16] = {};
  for (int64_t i = 0; i < bytes; ++i) copy[i] = p[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(copy));
}

KVASIR_INLINE Vec widen_bf16(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
KVASIR_INLINE __m128i load_halves(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
KVASIR_INLINE Vec load_bf16(const uint8_t* p) { return widen_bf16(load_halves(p)); }
KVASIR_INLINE Vec load_bf16(const uint8_t* p, int64_t count) {
  return widen_bf16(load_partial(p, 2 * count));
}
KVASIR_INLINE Vec load_f16(const uint8_t* p) { return _mm256_cvtph_ps(load_halves(p)); }
KVASIR_INLINE Vec load_f16(const uint8_t* p, int64_t count) {
  return _mm256_cvtph_ps(load_partial(p, 2 * count));
}

// An E4M3 code, its fields moved to their places in a float32, reads as value * 2^-120; subnormals
// are subnormals there too.
constexpr float kFp8Factor = 0x1p120f;
KVASIR_INLINE Vec widen_fp8(__m128i codes) {
  const __m256i spread = _mm256_slli_epi32(_mm256_cvtepi8_epi32(codes), 20);
  const __m256i fields = _mm256_set1_epi32(static_cast<int32_t>(0x87f00000));
  return _mm256_castsi256_ps(_mm256_and_si256(spread, fields));
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p) {
  return widen_fp8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p, int64_t count) {
  return widen_fp8(load_partial(p, count));
}

// ---- FP4, eight codes in four bytes, in natural order

KVASIR_INLINE Vec arrange_for_fp4(Vec v) { return v; }
KVASIR_INLINE Vec restore_from_fp4(Vec v) { return v; }
// table: the values of codes 0 to 7; bit 3 is the sign
KVASIR_INLINE Vec look_up_fp4(__m256i codes, const float* table) {
  const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  const __m256i shifted = _mm256_srlv_epi32(codes, shifts);
  const __m256i signs =
      _mm256_and_si256(_mm256_slli_epi32(shifted, 28), _mm256_set1_epi32(INT32_MIN));
  const Vec magnitudes = _mm256_permutevar8x32_ps(load(table), shifted);
  return _mm256_or_ps(magnitudes, _mm256_castsi256_ps(signs));
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table) {
  return look_up_fp4(_mm256_broadcastd_epi32(_mm_loadu_si32(p)), table);
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table, int64_t count) {
  return look_up_fp4(_mm256_broadcastd_epi32(load_partial(p, (count + 1) / 2)), table);
}

// ---- integer dot products: each lane adds four products of an unsigned and a signed byte

// Sixteen-bit pairs until end_byte_sum.
using ByteSum = __m256i;

// The offsets are added to the sums.
KVASIR_INLINE ByteSum begin_byte_sum(const uint8_t* /*offsets*/) { return _mm256_setzero_si256(); }
// quad: four unsigned bytes, the same for every lane; signed_bytes: four for each lane. REQUIRES:
// at most 8 quads, the unsigned bytes below 32, the signed within 12: then 16 bits hold the sums.
KVASIR_INLINE ByteSum add_byte_products(ByteSum sum, uint32_t quad, __m256i signed_bytes) {
  const __m256i unsigned_bytes = _mm256_set1_epi32(static_cast<int32_t>(quad));
  return _mm256_add_epi16(sum, _mm256_maddubs_epi16(unsigned_bytes, signed_bytes));
}
KVASIR_INLINE Vec end_byte_sum(ByteSum sum, const uint8_t* offsets) {
  const __m256i pairs = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
  return _mm256_cvtepi32_ps(_mm256_add_epi32(pairs, load_bytes(offsets)));
}

}  // namespace
}  // namespace kvasir::kernels::avx2
