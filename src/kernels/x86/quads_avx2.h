// What integer products need of AVX2: sixteen lanes of four bytes in two registers.
#pragma once

#include <cstdint>

#include "kernels/integer_products.h"
#include "kernels/x86/vec_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

// Four unsigned bytes for each lane.
using Quads = VecInt;

KVASIR_INLINE Quads load_quads(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
KVASIR_INLINE __m256i nibbles_of(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }
KVASIR_INLINE Quads low_nibbles(Quads a) { return {nibbles_of(a.low), nibbles_of(a.high)}; }
KVASIR_INLINE Quads high_nibbles(Quads a) {
  return {nibbles_of(_mm256_srli_epi32(a.low, 4)), nibbles_of(_mm256_srli_epi32(a.high, 4))};
}
// table [16], at the bytes of a, which are below 16
KVASIR_INLINE Quads look_up_quads(const uint8_t* table, Quads a) {
  const __m256i sixteen =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(sixteen, a.low), _mm256_shuffle_epi8(sixteen, a.high)};
}

// The codes of a group of activations are integers of 16 bits, of each four columns in the order 0
// 2 1 3: so the even bytes of a lane, and then its odd ones, meet theirs.
using QuadSum = VecInt;
KVASIR_INLINE QuadSum begin_quad_sum() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
KVASIR_INLINE __m256i load_pair(const uint8_t* p) {
  return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
}
KVASIR_INLINE __m256i add_pairs(__m256i sum, __m256i quads, __m256i even, __m256i odd) {
  const __m256i even_bytes = _mm256_and_si256(quads, _mm256_set1_epi16(255));
  const __m256i odd_bytes = _mm256_srli_epi16(quads, 8);
  const __m256i of_even = _mm256_madd_epi16(even_bytes, even);
  const __m256i of_odd = _mm256_madd_epi16(odd_bytes, odd);
  return _mm256_add_epi32(sum, _mm256_add_epi32(of_even, of_odd));
}
// Adds quads times columns [4 * quad, 4 * quad + 4) of the group.
KVASIR_INLINE void add_quad_products(QuadSum& sum, Quads quads, const uint8_t* codes,
                                     int64_t quad) {
  const __m256i even = load_pair(codes + 8 * quad);
  const __m256i odd = load_pair(codes + 8 * quad + 4);
  sum.low = add_pairs(sum.low, quads.low, even, odd);
  sum.high = add_pairs(sum.high, quads.high, even, odd);
}
KVASIR_INLINE VecInt end_quad_sum(const QuadSum& sum) { return sum; }

// Stores kLanes integers, columns [column, column + kLanes) of a group.
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  // Packs eight of each register, four by four: 0 .. 3, 8 .. 11, 4 .. 7, 12 .. 15.
  const __m256i halves = _mm256_packs_epi32(integers.low, integers.high);
  const __m256i in_order = _mm256_permute4x64_epi64(halves, 0xd8);
  const __m256i even_first =
      _mm256_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15,  //
                       0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + 2 * column),
                      _mm256_shuffle_epi8(in_order, even_first));
}

}  // namespace
}  // namespace kvasir::kernels::avx2
