// Bytes become floats of a Vec here: codes of blocks, all 32 that share a group.
#pragma once

#include <cstdint>

#include "kernels/x86/bytes_common.h"
#include "kernels/x86/vec_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

KVASIR_INLINE void store_vec_bytes(uint8_t* p, VecInt v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
KVASIR_INLINE VecInt add_int8(VecInt a, VecInt b) { return _mm256_add_epi8(a, b); }
KVASIR_INLINE VecInt sub_int8(VecInt a, VecInt b) { return _mm256_sub_epi8(a, b); }
KVASIR_INLINE VecInt add_int16(VecInt a, VecInt b) { return _mm256_add_epi16(a, b); }
KVASIR_INLINE VecInt sub_int16(VecInt a, VecInt b) { return _mm256_sub_epi16(a, b); }
template <int kCount>
KVASIR_INLINE VecInt shift_right_int16(VecInt a) {
  return _mm256_srli_epi16(a, kCount);
}
template <int kCount>
KVASIR_INLINE VecInt shift_left_int16(VecInt a) {
  return _mm256_slli_epi16(a, kCount);
}
// The kLanes bytes at p.
KVASIR_INLINE VecInt load_byte_lanes(const uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
// Four bytes, the same for every lane.
KVASIR_INLINE VecInt load_quad(const uint8_t* p) {
  return _mm256_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(p)));
}
// Adds to each lane the products of two halves and two others, all signed.
KVASIR_INLINE void add_half_products(VecInt& sum, VecInt a, VecInt b) {
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
// The low halves of all lanes, which lie within their range, in the order 0 2 4 6 1 3 5 7.
KVASIR_INLINE void store_tile_halves(uint8_t* p, VecInt a) {
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_shuffle_epi8(halves, order));
}
// table[the low four bits of each lane]
KVASIR_INLINE Vec look_up_sixteen(const float* table, VecInt index) {
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

KVASIR_INLINE Vec signed_to_floats(__m128i bytes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
KVASIR_INLINE Vec load_signed_bytes(const void* p) {
  return signed_to_floats(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
}
KVASIR_INLINE Vec load_signed_bytes(const uint8_t* p, int64_t count) {
  return signed_to_floats(load_partial(p, count));
}
KVASIR_INLINE void signed_to_floats(Bytes bytes, Vec (&out)[4]) {
  const __m128i low = _mm256_castsi256_si128(bytes);
  const __m128i high = _mm256_extracti128_si256(bytes, 1);
  out[0] = signed_to_floats(low);
  out[1] = signed_to_floats(_mm_srli_si128(low, 8));
  out[2] = signed_to_floats(high);
  out[3] = signed_to_floats(_mm_srli_si128(high, 8));
}

// What `scaled` makes of values[the low four bits of each byte].
template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(Bytes bytes, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[4]) {
  signed_to_floats(look_up(values, and_bytes(bytes, broadcast_byte(15))), out);
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) out[i] = scaled(out[i]);
}

template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(SplitNibbles split, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[4]) {
  nibbles_to_floats(load_split_nibbles(split.bytes), values, scaled, out);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
