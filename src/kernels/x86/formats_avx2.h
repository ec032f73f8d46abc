// Stored number formats become floats of a Vec here, in natural lane order, and back. The partial
// loads touch `count` elements only.
#pragma once

#include <cstdint>

#include "kernels/x86/vec_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

KVASIR_INLINE void store_int(int32_t* p, VecInt a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), a.high);
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

// The first half of the lanes from memory, each one twice: c0 c0 c1 c1 ...
KVASIR_INLINE Vec load_twice(const float* p, Mask pair_mask) {
  const Part v = _mm256_maskload_ps(p, pair_mask.low);
  const __m256i first = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  const __m256i last = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
  return {_mm256_permutevar8x32_ps(v, first), _mm256_permutevar8x32_ps(v, last)};
}

// The first `bytes` bytes, zeros after them. REQUIRES: bytes <= 16.
KVASIR_INLINE __m128i load_partial(const uint8_t* p, int64_t bytes) {
  uint8_t copy[16] = {};
  for (int64_t i = 0; i < bytes; ++i) copy[i] = p[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(copy));
}
KVASIR_INLINE __m128i load_sixteen(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// `count` halves to both parts, as `widen` does.
template <class Widen>
KVASIR_INLINE Vec load_partial_halves(const uint8_t* p, int64_t count, const Widen& widen) {
  const int64_t first = count < 8 ? count : 8;
  return {widen(load_partial(p, 2 * first)),
          widen(load_partial(p + 2 * first, 2 * (count - first)))};
}

KVASIR_INLINE Part widen_bf16(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
KVASIR_INLINE Part load_bf16_part(const uint8_t* p) { return widen_bf16(load_sixteen(p)); }
KVASIR_INLINE Vec load_bf16(const uint8_t* p) {
  return {load_bf16_part(p), load_bf16_part(p + 16)};
}
KVASIR_INLINE Vec load_bf16(const uint8_t* p, int64_t count) {
  return load_partial_halves(p, count, widen_bf16);
}
KVASIR_INLINE Part widen_f16(__m128i halves) { return _mm256_cvtph_ps(halves); }
KVASIR_INLINE Part load_f16_part(const uint8_t* p) { return widen_f16(load_sixteen(p)); }
KVASIR_INLINE Vec load_f16(const uint8_t* p) { return {load_f16_part(p), load_f16_part(p + 16)}; }
KVASIR_INLINE Vec load_f16(const uint8_t* p, int64_t count) {
  return load_partial_halves(p, count, widen_f16);
}

// An E4M3 code, its fields moved to their places in a float32, reads as value * 2^-120; subnormals
// are subnormals there too.
constexpr float kFp8Factor = 0x1p120f;
KVASIR_INLINE Part widen_fp8_part(__m128i codes) {
  const __m256i spread = _mm256_slli_epi32(_mm256_cvtepi8_epi32(codes), 20);
  const __m256i fields = _mm256_set1_epi32(static_cast<int32_t>(0x87f00000));
  return _mm256_castsi256_ps(_mm256_and_si256(spread, fields));
}
KVASIR_INLINE Vec widen_fp8(__m128i codes) {
  return {widen_fp8_part(codes), widen_fp8_part(_mm_srli_si128(codes, 8))};
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p) { return widen_fp8(load_sixteen(p)); }
KVASIR_INLINE Vec load_fp8(const uint8_t* p, int64_t count) {
  return widen_fp8(load_partial(p, count));
}

// ---- FP4, sixteen codes in eight bytes, in natural order

KVASIR_INLINE Vec arrange_for_fp4(Vec v) { return v; }
KVASIR_INLINE Vec restore_from_fp4(Vec v) { return v; }
// Eight codes. table: the values of codes 0 to 7; bit 3 is the sign
KVASIR_INLINE Part look_up_fp4(__m256i codes, const float* table) {
  const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  const __m256i shifted = _mm256_srlv_epi32(codes, shifts);
  const __m256i signs =
      _mm256_and_si256(_mm256_slli_epi32(shifted, 28), _mm256_set1_epi32(INT32_MIN));
  const Part magnitudes = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), shifted);
  return _mm256_or_ps(magnitudes, _mm256_castsi256_ps(signs));
}
KVASIR_INLINE Vec look_up_fp4(__m128i codes, const float* table) {
  return {look_up_fp4(_mm256_broadcastd_epi32(codes), table),
          look_up_fp4(_mm256_broadcastd_epi32(_mm_srli_si128(codes, 4)), table)};
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table) {
  return look_up_fp4(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), table);
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table, int64_t count) {
  return look_up_fp4(load_partial(p, (count + 1) / 2), table);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
