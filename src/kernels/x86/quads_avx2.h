// What integer products need of AVX2: sixteen lanes of four bytes in two registers.
#pragma once

#include <cstdint>

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

// The same for every lane.
KVASIR_INLINE __m256i load_four_bytes(const uint8_t* p) {
  return _mm256_broadcastd_epi32(_mm_loadu_si32(p));
}

// Sixteen integers of at most 16 bits, as halves in their order.
KVASIR_INLINE __m256i to_halves(VecInt integers) {
  // Packs eight of each register, four by four: 0 .. 3, 8 .. 11, 4 .. 7, 12 .. 15.
  const __m256i packed = _mm256_packs_epi32(integers.low, integers.high);
  return _mm256_permute4x64_epi64(packed, 0xd8);
}
// Halves that fit a byte with a sign.
KVASIR_INLINE void store_as_bytes(uint8_t* p, __m256i halves) {
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
