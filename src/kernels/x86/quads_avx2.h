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

// The codes of a group of activations are integers of one byte; or, four columns after four, the
// low bytes of integers of two and then the high ones, which alone have signs.

// How many products of two bytes with two others a sum of 16 bits holds.
constexpr int64_t pairs_max(int integer_bits, int byte_max) {
  return 32767 / (2 * byte_max * ((1 << integer_bits) - 1));
}

KVASIR_INLINE __m256i load_four_bytes(const uint8_t* p) {
  return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
}
KVASIR_INLINE __m256i multiply_pairs(__m256i quads, __m256i bytes, bool is_low) {
  return is_low ? _mm256_maddubs_epi16(bytes, quads) : _mm256_maddubs_epi16(quads, bytes);
}

// The products with one byte of each activation, low ones without signs, times a factor. codes:
// its first four bytes, kStride from each four to the next.
template <int kIntegerBits, int64_t kFirst, int64_t kCount, int64_t kStride, bool kIsLow>
KVASIR_INLINE VecInt dot_bytes(const Quads* quads, const uint8_t* codes, int16_t factor) {
  constexpr int64_t kPairsMax = pairs_max(kIntegerBits, kIsLow ? 255 : 128);
  constexpr int64_t kAtOnce = kCount < kPairsMax ? kCount : kPairsMax;
  const __m256i factors = _mm256_set1_epi16(factor);
  VecInt sum;
  KVASIR_UNROLL
  for (int64_t begin = kFirst; begin < kFirst + kCount; begin += kAtOnce) {
    __m256i low, high;
    KVASIR_UNROLL
    for (int64_t q = begin; q < begin + kAtOnce; ++q) {
      const __m256i bytes = load_four_bytes(codes + kStride * q);
      const __m256i of_low = multiply_pairs(quads[q].low, bytes, kIsLow);
      const __m256i of_high = multiply_pairs(quads[q].high, bytes, kIsLow);
      low = q == begin ? of_low : _mm256_add_epi16(low, of_low);
      high = q == begin ? of_high : _mm256_add_epi16(high, of_high);
    }
    const VecInt products = {_mm256_madd_epi16(low, factors), _mm256_madd_epi16(high, factors)};
    sum = begin == kFirst ? products : add_int(sum, products);
  }
  return sum;
}

// Four activations in 16 bits each, those that meet the even bytes of a lane and those that meet
// the odd ones.
struct EvenAndOdd {
  __m256i even;
  __m256i odd;
};
template <int kBytes>
KVASIR_INLINE EvenAndOdd load_four_integers(const uint8_t* codes) {
  if constexpr (kBytes == 1) {
    const __m256i four = load_four_bytes(codes);
    return {_mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8), _mm256_srai_epi16(four, 8)};
  }
  const __m256i four =
      _mm256_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return {_mm256_shuffle_epi8(four, _mm256_set1_epi32(0x06020400)),
          _mm256_shuffle_epi8(four, _mm256_set1_epi32(0x07030501))};
}
KVASIR_INLINE __m256i add_products(__m256i sum, __m256i quads, const EvenAndOdd& x) {
  const __m256i even_bytes = _mm256_and_si256(quads, _mm256_set1_epi16(255));
  const __m256i of_even = _mm256_madd_epi16(even_bytes, x.even);
  const __m256i of_odd = _mm256_madd_epi16(_mm256_srli_epi16(quads, 8), x.odd);
  return _mm256_add_epi32(sum, _mm256_add_epi32(of_even, of_odd));
}

// The products of quads [kFirst, kFirst + kCount) of a group with as many fours of its activations.
template <int kBytes, int kIntegerBits, int64_t kFirst, int64_t kCount>
KVASIR_INLINE VecInt dot_quads(const Quads* quads, const uint8_t* codes) {
  if constexpr (kBytes == 1 && kIntegerBits <= 6) {
    return dot_bytes<kIntegerBits, kFirst, kCount, 4, false>(quads, codes, 1);
  } else if constexpr (kBytes == 2 && kIntegerBits <= 5) {
    return add_int(dot_bytes<kIntegerBits, kFirst, kCount, 8, true>(quads, codes, 1),
                   dot_bytes<kIntegerBits, kFirst, kCount, 8, false>(quads, codes + 4, 256));
  }
  VecInt sum = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  KVASIR_UNROLL
  for (int64_t q = kFirst; q < kFirst + kCount; ++q) {
    const EvenAndOdd x = load_four_integers<kBytes>(codes + 4 * kBytes * q);
    sum = {add_products(sum.low, quads[q].low, x), add_products(sum.high, quads[q].high, x)};
  }
  return sum;
}

// Stores kLanes integers, columns [column, column + kLanes) of a group.
template <int kBytes>
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  // Packs eight of each register, four by four: 0 .. 3, 8 .. 11, 4 .. 7, 12 .. 15.
  const __m256i halves = _mm256_packs_epi32(integers.low, integers.high);
  const __m256i in_order = _mm256_permute4x64_epi64(halves, 0xd8);
  if constexpr (kBytes == 1) {
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(in_order), _mm256_extracti128_si256(in_order, 1));
    return _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + column), bytes);
  }
  const __m256i low_first =
      _mm256_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15,  //
                       0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + 2 * column),
                      _mm256_shuffle_epi8(in_order, low_first));
}

}  // namespace
}  // namespace kvasir::kernels::avx2
