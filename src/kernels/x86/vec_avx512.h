// A Vec is sixteen float lanes: what the kernels need of AVX-512 (F, BW, VL, DQ, VNNI).
#pragma once

// GCC 12 takes the deliberately undefined operands inside its own intrinsics for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

#include "kernels/simd/vec.h"
#include "kernels/x86/vec_common.h"

namespace kvasir::kernels::avx512 {
namespace {

constexpr int64_t kLanes = 16;

using Vec = __m512;
using VecInt = __m512i;
using Mask = __mmask16;

// ---- whole and partial vectors

// REQUIRES: 0 <= count <= kLanes.
KVASIR_INLINE Mask first_lanes(int64_t count) { return static_cast<Mask>((1u << count) - 1); }

KVASIR_INLINE Vec zero() { return _mm512_setzero_ps(); }
KVASIR_INLINE Vec broadcast(float value) { return _mm512_set1_ps(value); }
KVASIR_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
KVASIR_INLINE Vec load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
KVASIR_INLINE void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
KVASIR_INLINE void store(float* p, Vec v, Mask mask) { _mm512_mask_storeu_ps(p, mask, v); }

// ---- arithmetic

// a * b + c, rounded once
KVASIR_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
KVASIR_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
KVASIR_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
KVASIR_INLINE Vec abs(Vec a) { return _mm512_abs_ps(a); }
KVASIR_INLINE Vec round_to_even(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a * 2^n, rounded once. REQUIRES: n integral.
KVASIR_INLINE Vec scale_by_power_of_two(Vec a, Vec n) { return _mm512_scalef_ps(a, n); }
// Lane by lane: a < b ? x : y
KVASIR_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
KVASIR_INLINE Vec select(Vec v, Mask mask, Vec otherwise) {
  return _mm512_mask_blend_ps(mask, otherwise, v);
}

// ---- integers and bits

KVASIR_INLINE VecInt bits(Vec v) { return _mm512_castps_si512(v); }
KVASIR_INLINE Vec from_bits(VecInt v) { return _mm512_castsi512_ps(v); }
KVASIR_INLINE VecInt broadcast_int(int32_t value) { return _mm512_set1_epi32(value); }
KVASIR_INLINE VecInt add_int(VecInt a, VecInt b) { return _mm512_add_epi32(a, b); }
KVASIR_INLINE VecInt sub_int(VecInt a, VecInt b) { return _mm512_sub_epi32(a, b); }
KVASIR_INLINE VecInt add_int8(VecInt a, VecInt b) { return _mm512_add_epi8(a, b); }
KVASIR_INLINE VecInt sub_int8(VecInt a, VecInt b) { return _mm512_sub_epi8(a, b); }
KVASIR_INLINE VecInt add_int16(VecInt a, VecInt b) { return _mm512_add_epi16(a, b); }
KVASIR_INLINE VecInt sub_int16(VecInt a, VecInt b) { return _mm512_sub_epi16(a, b); }
template <int kCount>
KVASIR_INLINE VecInt shift_right_int16(VecInt a) {
  return _mm512_srli_epi16(a, kCount);
}
template <int kCount>
KVASIR_INLINE VecInt shift_left_int16(VecInt a) {
  return _mm512_slli_epi16(a, kCount);
}
KVASIR_INLINE VecInt and_bits(VecInt a, VecInt b) { return _mm512_and_si512(a, b); }
KVASIR_INLINE VecInt or_bits(VecInt a, VecInt b) { return _mm512_or_si512(a, b); }
template <int kCount>
KVASIR_INLINE VecInt shift_right(VecInt a) {
  return _mm512_srli_epi32(a, kCount);
}
template <int kCount>
KVASIR_INLINE VecInt shift_left(VecInt a) {
  return _mm512_slli_epi32(a, kCount);
}
KVASIR_INLINE Vec to_float(VecInt a) { return _mm512_cvtepi32_ps(a); }
// Round to nearest even.
KVASIR_INLINE VecInt to_int(Vec a) { return _mm512_cvtps_epi32(a); }
KVASIR_INLINE void store_int(int32_t* p, VecInt a) { _mm512_storeu_si512(p, a); }

// Stores the low byte or half of the first count lanes.
KVASIR_INLINE void store_bytes(uint8_t* p, VecInt a, int64_t count) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(count), a);
}
KVASIR_INLINE void store_halves(uint8_t* p, VecInt a, int64_t count) {
  _mm512_mask_cvtepi32_storeu_epi16(p, first_lanes(count), a);
}

// ---- across lanes. Sums always pair lanes 8 apart, then 4, 2, 1.

KVASIR_INLINE float first_lane(Vec v) { return _mm512_cvtss_f32(v); }

// Lane l gets lane l ^ kDistance.
template <int64_t kDistance>
KVASIR_INLINE Vec swap_lanes(Vec v) {
  if constexpr (kDistance == 1) return _mm512_permute_ps(v, 0xb1);
  if constexpr (kDistance == 2) return _mm512_permute_ps(v, 0x4e);
  if constexpr (kDistance == 4) return _mm512_shuffle_f32x4(v, v, 0xb1);
  if constexpr (kDistance == 8) return _mm512_shuffle_f32x4(v, v, 0x4e);
}

KVASIR_INLINE float reduce_add(Vec v) {
  v = v + swap_lanes<8>(v);
  v = v + swap_lanes<4>(v);
  v = v + swap_lanes<2>(v);
  return first_lane(v + swap_lanes<1>(v));
}

KVASIR_INLINE float reduce_max(Vec v) {
  v = max(v, swap_lanes<8>(v));
  v = max(v, swap_lanes<4>(v));
  v = max(v, swap_lanes<2>(v));
  return first_lane(max(v, swap_lanes<1>(v)));
}

// The four sums, each with the bits of reduce_add.
KVASIR_INLINE FourFloats reduce_add_4(Vec a, Vec b, Vec c, Vec d) {
  const Vec ab = _mm512_shuffle_f32x4(a, b, 0x44) + _mm512_shuffle_f32x4(a, b, 0xee);
  const Vec cd = _mm512_shuffle_f32x4(c, d, 0x44) + _mm512_shuffle_f32x4(c, d, 0xee);
  Vec abcd = _mm512_shuffle_f32x4(ab, cd, 0x88) + _mm512_shuffle_f32x4(ab, cd, 0xdd);
  abcd = abcd + swap_lanes<2>(abcd);
  abcd = abcd + swap_lanes<1>(abcd);
  const __m512i heads = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(heads, abcd));
}

// The same of the largest.
KVASIR_INLINE FourFloats reduce_max_4(Vec a, Vec b, Vec c, Vec d) {
  const Vec ab = max(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  const Vec cd = max(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  Vec abcd = max(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  abcd = max(abcd, swap_lanes<2>(abcd));
  abcd = max(abcd, swap_lanes<1>(abcd));
  const __m512i heads = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(heads, abcd));
}

// A 4 x 4 matrix, row by row: each lane gets the sum of its column.
KVASIR_INLINE Vec column_sums(const Vec* m) {
  const Vec pairs = m[0] + swap_lanes<8>(m[0]);
  return pairs + swap_lanes<4>(pairs);
}

// The first half of the lanes from memory, each one twice: c0 c0 c1 c1 ...
KVASIR_INLINE Vec load_twice(const float* p, Mask pair_mask) {
  const __m256 v = _mm256_maskz_loadu_ps(static_cast<__mmask8>(pair_mask), p);
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(v));
}
// a * b - c in even lanes, a * b + c in odd lanes
KVASIR_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) { return _mm512_fmaddsub_ps(a, b, c); }

// ---- stored number formats, natural lane order. The partial loads touch `count` elements only.

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
KVASIR_INLINE Vec load_bf16(const uint8_t* p, int64_t count) {
  return widen_bf16(load_halves(p, count));
}
KVASIR_INLINE Vec load_f16(const uint8_t* p) { return _mm512_cvtph_ps(load_halves(p)); }
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

// ---- integer dot products: each lane adds four products of an unsigned and a signed byte

using ByteSum = __m512i;

// The offsets are added to the sums.
KVASIR_INLINE ByteSum begin_byte_sum(const uint8_t* offsets) { return _mm512_loadu_si512(offsets); }
// quad: four unsigned bytes, the same for every lane; signed_bytes: four for each lane. REQUIRES:
// at most 8 quads, the unsigned bytes below 32, the signed within 12.
KVASIR_INLINE ByteSum add_byte_products(ByteSum sum, uint32_t quad, __m512i signed_bytes) {
  return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(static_cast<int32_t>(quad)), signed_bytes);
}
KVASIR_INLINE Vec end_byte_sum(ByteSum sum, const uint8_t* /*offsets*/) {
  return _mm512_cvtepi32_ps(sum);
}
// Any unsigned bytes, four for each lane, by any signed ones. In place: gcc 12 copies the sum of
// the intrinsic back and forth.
KVASIR_INLINE void add_all_byte_products(VecInt& sum, VecInt unsigned_bytes, VecInt signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
}
// Four bytes, the same for every lane.
KVASIR_INLINE VecInt load_quad(const uint8_t* p) {
  return _mm512_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(p)));
}
KVASIR_INLINE VecInt load_bytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
KVASIR_INLINE void store_vec_bytes(uint8_t* p, VecInt v) { _mm512_storeu_si512(p, v); }

}  // namespace
}  // namespace kvasir::kernels::avx512
