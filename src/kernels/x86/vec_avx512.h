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
constexpr int64_t kPartLanes = 16;

// Thirty-two registers hold the sums of a block and what is multiplied.
constexpr int kDotTokens = 6;
constexpr int kAcrossTokens = 4;
constexpr int kAcrossVecs = 2;
constexpr int kRowsAtOnce = 4;
constexpr int kDirectRows[] = {0, 8, 4, 4, 4};
constexpr int kBlockRows = 8;
constexpr int kValueHeads = 6;
constexpr int kValueVecs = 4;
constexpr int kPassVecs = 4;
constexpr int kCodeVecs = 2;
constexpr int kPeakChains = 12;

using Vec = __m512;
using VecInt = __m512i;
using Mask = __mmask16;
using Part = Vec;

// ---- whole and partial vectors

// REQUIRES: 0 <= count <= kLanes.
KVASIR_INLINE Mask first_lanes(int64_t count) { return static_cast<Mask>((1u << count) - 1); }

KVASIR_INLINE Vec zero() { return _mm512_setzero_ps(); }
KVASIR_INLINE Vec broadcast(float value) { return _mm512_set1_ps(value); }
KVASIR_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
KVASIR_INLINE Vec load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
KVASIR_INLINE void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
KVASIR_INLINE void store(float* p, Vec v, Mask mask) { _mm512_mask_storeu_ps(p, mask, v); }

KVASIR_INLINE Part& part_of(Vec& v, int /*part*/) { return v; }
KVASIR_INLINE Part broadcast_part(float value) { return broadcast(value); }
KVASIR_INLINE Part load_part(const float* p) { return load(p); }
KVASIR_INLINE Part load_part(const float* p, Mask mask, int /*part*/) { return load(p, mask); }

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
KVASIR_INLINE void keep_in_register(Part& part) { asm("" : "+v"(part)); }

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

// Lanes l of a where l & kDistance is 0, of b elsewhere.
template <int64_t kDistance>
KVASIR_INLINE Vec merge_lanes(Vec a, Vec b) {
  constexpr Mask kOfB = kDistance == 1   ? 0xaaaa
                        : kDistance == 2 ? 0xcccc
                        : kDistance == 4 ? 0xf0f0
                                         : 0xff00;
  return _mm512_mask_blend_ps(kOfB, a, b);
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

KVASIR_INLINE Part add_parts(Vec v) { return v; }
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
KVASIR_INLINE Vec column_sums(Vec m) {
  const Vec pairs = m + swap_lanes<8>(m);
  return pairs + swap_lanes<4>(pairs);
}

// a * b - c in even lanes, a * b + c in odd lanes
KVASIR_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) { return _mm512_fmaddsub_ps(a, b, c); }

}  // namespace
}  // namespace kvasir::kernels::avx512
