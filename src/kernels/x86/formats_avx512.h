// Stored number formats become floats of a Vec here, in natural lane order, and back. The partial
// loads touch `count` elements only.
#pragma once

#include <cstdint>

#include "kernels/x86/vec_avx512.h"

namespace kvasir::kernels::avx512 {
namespace {

KVASIR_INLINE void store_int(int32_t* p, VecInt a) { _mm512_storeu_si512(p, a); }

// Stores the low byte or half of the first count lanes.
KVASIR_INLINE void store_bytes(uint8_t* p, VecInt a, int64_t count) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(count), a);
}
KVASIR_INLINE void store_halves(uint8_t* p, VecInt a, int64_t count) {
  _mm512_mask_cvtepi32_storeu_epi16(p, first_lanes(count), a);
}

// The first half of the lanes from memory, each one twice: c0 c0 c1 c1 ...
KVASIR_INLINE Vec load_twice(const float* p, Mask pair_mask) {
  const __m256 v = _mm256_maskz_loadu_ps(static_cast<__mmask8>(pair_mask), p);
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(v));
}
KVASIR_INLINE Vec widen_bf16(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
KVASIR_INLINE __m256i load_halves(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KVASIR_INLINE __m256i load_halves(const uint8_t* p, int64_t count) {
  return _mm256_maskz_loadu_epi16(first_lanes(count), p);
}
KVASIR_INLINE Vec load_bf16(const uint8_t* p) { return widen_bf16(load_halves(p)); }
KVASIR_INLINE Part load_bf16_part(const uint8_t* p) { return load_bf16(p); }
KVASIR_INLINE Vec load_bf16(const uint8_t* p, int64_t count) {
  return widen_bf16(load_halves(p, count));
}
KVASIR_INLINE Vec load_f16(const uint8_t* p) { return _mm512_cvtph_ps(load_halves(p)); }
KVASIR_INLINE Part load_f16_part(const uint8_t* p) { return load_f16(p); }
KVASIR_INLINE Vec load_f16(const uint8_t* p, int64_t count) {
  return _mm512_cvtph_ps(load_halves(p, count));
}

// An E4M3 code, its fields moved to their places in a float32, reads as value * 2^-120; subnormals
// are subnormals there too.
constexpr float kFp8Factor = 0x1p120f;
KVASIR_INLINE Vec widen_fp8(__m128i codes) {
  const __m512i spread = _mm512_slli_epi32(_mm512_cvtepi8_epi32(codes), 20);
  const __m512i fields = _mm512_set1_epi32(static_cast<int32_t>(0x87f00000));
  return _mm512_castsi512_ps(_mm512_and_si512(spread, fields));
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p) {
  return widen_fp8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p, int64_t count) {
  return widen_fp8(_mm_maskz_loadu_epi8(first_lanes(count), p));
}

// ---- FP4, sixteen codes in eight bytes. One shift lays them out in an order of its own: lane l
// holds element 8 * (l % 2) + l / 2; arrange brings other vectors into that order and back.

KVASIR_INLINE Vec arrange_for_fp4(Vec v) {
  const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  return _mm512_permutexvar_ps(order, v);
}
KVASIR_INLINE Vec restore_from_fp4(Vec v) {
  const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  return _mm512_permutexvar_ps(order, v);
}
// table: the values of codes 0 to 15
KVASIR_INLINE Vec look_up_fp4(__m512i codes, const float* table) {
  const __m512i shifts =
      _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
  return _mm512_permutexvar_ps(_mm512_srlv_epi32(codes, shifts), load(table));
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return look_up_fp4(_mm512_broadcastq_epi64(codes), table);
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table, int64_t count) {
  const auto mask = static_cast<__mmask16>((1u << ((count + 1) / 2)) - 1);
  return look_up_fp4(_mm512_broadcastq_epi64(_mm_maskz_loadu_epi8(mask, p)), table);
}

}  // namespace
}  // namespace kvasir::kernels::avx512
