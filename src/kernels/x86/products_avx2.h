// Exact sums of products of integers by AVX2: by way of 16 bits, which hold a few products of
// bytes.
#pragma once

#include <cstdint>

#include "kernels/integer_products.h"
#include "kernels/x86/bytes_avx2.h"
#include "kernels/x86/quads_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

// ---- bytes and halves of every lane

// Sixteen-bit pairs until end_byte_sum.
using ByteSum = VecInt;

// The offsets are added to the sums.
KVASIR_INLINE ByteSum begin_byte_sum(const uint8_t* /*offsets*/) { return broadcast_int(0); }
// quad: four unsigned bytes, the same for every lane; signed_bytes: four for each lane. REQUIRES:
// at most 8 quads, the unsigned bytes below 32, the signed within 12: then 16 bits hold the sums.
KVASIR_INLINE ByteSum add_byte_products(ByteSum sum, uint32_t quad, VecInt signed_bytes) {
  const __m256i unsigned_bytes = _mm256_set1_epi32(static_cast<int32_t>(quad));
  return add_int16(sum, {_mm256_maddubs_epi16(unsigned_bytes, signed_bytes.low),
                         _mm256_maddubs_epi16(unsigned_bytes, signed_bytes.high)});
}
KVASIR_INLINE VecInt half_products(VecInt a, VecInt b) {
  return {_mm256_madd_epi16(a.low, b.low), _mm256_madd_epi16(a.high, b.high)};
}
KVASIR_INLINE Vec end_byte_sum(ByteSum sum, const uint8_t* offsets) {
  const VecInt ones = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
  return to_float(add_int(half_products(sum, ones), load_bytes(offsets)));
}
// Adds to each lane the products of two halves and two others, all signed.
KVASIR_INLINE void add_half_products(VecInt& sum, VecInt a, VecInt b) {
  sum = add_int(sum, half_products(a, b));
}

// ---- groups of weights and activations

// The codes of a group of activations are integers of one byte; or, four columns after four, the
// low bytes of integers of two and then the high ones, which alone have signs.

// How many products of two bytes with two others a sum of 16 bits holds.
constexpr int64_t pairs_max(int integer_bits, int byte_max) {
  return 32767 / (2 * byte_max * ((1 << integer_bits) - 1));
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

constexpr int tokens_at_once(int /*activation_bytes*/) { return 1; }

// The products of quads [kFirst, kFirst + kCount) of a group with as many fours of its activations.
template <int kBytes, int kIntegerBits, int64_t kFirst, int64_t kCount>
KVASIR_INLINE void dot_quads(const Quads* quads, const uint8_t* codes, int64_t /*stride*/,
                             VecInt (&sums)[1]) {
  if constexpr (kBytes == 1 && kIntegerBits <= 6) {
    sums[0] = dot_bytes<kIntegerBits, kFirst, kCount, 4, false>(quads, codes, 1);
    return;
  } else if constexpr (kBytes == 2 && kIntegerBits <= 5) {
    sums[0] = add_int(dot_bytes<kIntegerBits, kFirst, kCount, 8, true>(quads, codes, 1),
                      dot_bytes<kIntegerBits, kFirst, kCount, 8, false>(quads, codes + 4, 256));
    return;
  }
  VecInt& sum = sums[0] = broadcast_int(0);
  KVASIR_UNROLL
  for (int64_t q = kFirst; q < kFirst + kCount; ++q) {
    const EvenAndOdd x = load_four_integers<kBytes>(codes + 4 * kBytes * q);
    sum = {add_products(sum.low, quads[q].low, x), add_products(sum.high, quads[q].high, x)};
  }
}

// Stores kLanes integers, columns [column, column + kLanes) of a group.
template <int kBytes>
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  const __m256i in_order = to_halves(integers);
  if constexpr (kBytes == 1) return store_as_bytes(codes + column, in_order);
  const __m256i low_first =
      _mm256_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15,  //
                       0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + 2 * column),
                      _mm256_shuffle_epi8(in_order, low_first));
}

}  // namespace
}  // namespace kvasir::kernels::avx2
