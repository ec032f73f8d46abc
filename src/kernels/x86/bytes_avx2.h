// Bytes become floats of a Vec here: codes of blocks, all 32 that share a group.
#pragma once

#include <cstdint>

#include "kernels/x86/bytes_common.h"
#include "kernels/x86/formats_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

// ---- lanes of bytes and halves

KVASIR_INLINE __m256i load_part_bytes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KVASIR_INLINE VecInt load_bytes(const uint8_t* p) {
  return {load_part_bytes(p), load_part_bytes(p + 32)};
}
KVASIR_INLINE void store_vec_bytes(uint8_t* p, VecInt v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), v.high);
}
KVASIR_INLINE VecInt add_int8(VecInt a, VecInt b) {
  return {_mm256_add_epi8(a.low, b.low), _mm256_add_epi8(a.high, b.high)};
}
KVASIR_INLINE VecInt sub_int8(VecInt a, VecInt b) {
  return {_mm256_sub_epi8(a.low, b.low), _mm256_sub_epi8(a.high, b.high)};
}
KVASIR_INLINE VecInt add_int16(VecInt a, VecInt b) {
  return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}
KVASIR_INLINE VecInt sub_int16(VecInt a, VecInt b) {
  return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
}
template <int kCount>
KVASIR_INLINE VecInt shift_right_int16(VecInt a) {
  return {_mm256_srli_epi16(a.low, kCount), _mm256_srli_epi16(a.high, kCount)};
}
template <int kCount>
KVASIR_INLINE VecInt shift_left_int16(VecInt a) {
  return {_mm256_slli_epi16(a.low, kCount), _mm256_slli_epi16(a.high, kCount)};
}
// The kLanes bytes at p.
KVASIR_INLINE VecInt load_byte_lanes(const uint8_t* p) {
  const __m128i bytes = load_sixteen(p);
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
// Four bytes, the same for every lane.
KVASIR_INLINE VecInt load_quad(const uint8_t* p) {
  return broadcast_int(_mm_cvtsi128_si32(_mm_loadu_si32(p)));
}
// table[the low four bits of each lane]
KVASIR_INLINE Part look_up_part(const float* table, __m256i index) {
  const Part low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
  const Part high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
KVASIR_INLINE Vec look_up_sixteen(const float* table, VecInt index) {
  return {look_up_part(table, index.low), look_up_part(table, index.high)};
}

// ---- integers of a tile

// The low halves of all lanes, of each eight in the order 0 2 4 6 1 3 5 7.
KVASIR_INLINE void store_tile_halves(uint8_t* p, VecInt a) {
  const __m256i even_then_odd =
      _mm256_setr_epi8(0, 1, 8, 9, -1, -1, -1, -1, 4, 5, 12, 13, -1, -1, -1, -1,  //
                       -1, -1, -1, -1, 0, 1, 8, 9, -1, -1, -1, -1, 4, 5, 12, 13);
  const __m256i low = _mm256_shuffle_epi8(a.low, even_then_odd);
  const __m256i high = _mm256_shuffle_epi8(a.high, even_then_odd);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_or_si256(_mm256_permute2x128_si256(low, high, 0x20),
                                      _mm256_permute2x128_si256(low, high, 0x31)));
}

KVASIR_INLINE void forget(VecInt& v) {
  kernels::forget(v.low);
  kernels::forget(v.high);
}

// ---- signed bytes to floats

KVASIR_INLINE Part signed_to_part(__m128i bytes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
KVASIR_INLINE Vec signed_to_floats(__m128i bytes) {
  return {signed_to_part(bytes), signed_to_part(_mm_srli_si128(bytes, 8))};
}
KVASIR_INLINE Vec load_signed_bytes(const uint8_t* p) { return signed_to_floats(load_sixteen(p)); }
KVASIR_INLINE Vec load_signed_bytes(const uint8_t* p, int64_t count) {
  return signed_to_floats(load_partial(p, count));
}
KVASIR_INLINE void signed_to_floats(Bytes bytes, Vec (&out)[2]) {
  out[0] = signed_to_floats(_mm256_castsi256_si128(bytes));
  out[1] = signed_to_floats(_mm256_extracti128_si256(bytes, 1));
}

// What `scaled` makes of values[the low four bits of each byte].
template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(Bytes bytes, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  signed_to_floats(look_up(values, and_bytes(bytes, broadcast_byte(15))), out);
  KVASIR_UNROLL
  for (int i = 0; i < 2; ++i) out[i] = scaled(out[i]);
}

template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(SplitNibbles split, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  nibbles_to_floats(load_split_nibbles(split.bytes), values, scaled, out);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
