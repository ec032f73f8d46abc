// Bytes become floats of a Vec here: codes of blocks, all 32 that share a group. And exact sums of
// products of integers.
#pragma once

#include <cstdint>

#include "kernels/x86/bytes_common.h"
#include "kernels/x86/formats_avx512.h"

namespace kvasir::kernels::avx512 {
namespace {

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

// Adds to each lane the products of two halves and two others, all signed. In place, like
// add_all_byte_products.
KVASIR_INLINE void add_half_products(VecInt& sum, VecInt a, VecInt b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}
// The low halves of all lanes, of each eight in the order 0 2 4 6 1 3 5 7.
KVASIR_INLINE void store_tile_halves(uint8_t* p, VecInt a) {
  const __m512i order = _mm512_castsi256_si512(
      _mm256_setr_epi16(0, 4, 8, 12, 2, 6, 10, 14, 16, 20, 24, 28, 18, 22, 26, 30));
  const __m512i halves = _mm512_permutexvar_epi16(order, a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256(halves));
}
// table[the low four bits of each lane]
KVASIR_INLINE Vec look_up_sixteen(const float* table, VecInt index) {
  return _mm512_permutexvar_ps(index, _mm512_loadu_ps(table));
}
// The kLanes bytes at p.
KVASIR_INLINE VecInt load_byte_lanes(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

KVASIR_INLINE Vec load_signed_bytes(const void* p) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
KVASIR_INLINE Vec load_signed_bytes(const void* p, int64_t count) {
  const __m128i bytes = _mm_maskz_loadu_epi8(first_lanes(count), p);
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
KVASIR_INLINE void signed_to_floats(Bytes bytes, Vec (&out)[2]) {
  out[0] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
  out[1] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(bytes, 1)));
}

// What `scaled` makes of values[the low four bits of each byte]: of the whole table at once.
template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(Bytes bytes, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  const Vec table = scaled(load_signed_bytes(values));
  const __m512i low = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(bytes));
  const __m512i high = _mm512_cvtepu8_epi32(_mm256_extracti128_si256(bytes, 1));
  out[0] = _mm512_permutexvar_ps(low, table);
  out[1] = _mm512_permutexvar_ps(high, table);
}

template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(SplitNibbles split, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  const Vec table = scaled(load_signed_bytes(values));
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(split.bytes));
  const __m512i pairs = _mm512_cvtepu8_epi32(bytes);
  out[0] = _mm512_permutexvar_ps(pairs, table);
  out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(pairs, 4), table);
}

}  // namespace
}  // namespace kvasir::kernels::avx512
