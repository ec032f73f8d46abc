// What integer products need of AVX-512: sixteen lanes of four bytes.
#pragma once

#include <cstdint>

#include "kernels/integer_products.h"
#include "kernels/x86/vec_avx512.h"

namespace kvasir::kernels::avx512 {
namespace {

// Four unsigned bytes for each lane.
using Quads = __m512i;

KVASIR_INLINE Quads load_quads(const uint8_t* p) { return _mm512_loadu_si512(p); }
KVASIR_INLINE Quads low_nibbles(Quads a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
KVASIR_INLINE Quads high_nibbles(Quads a) { return low_nibbles(_mm512_srli_epi32(a, 4)); }
// table [16], at the bytes of a, which are below 16
KVASIR_INLINE Quads look_up_quads(const uint8_t* table, Quads a) {
  const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(sixteen), a);
}

// vpdpbusd with four bytes of memory for every lane. In place: gcc 12 copies the sum of the
// intrinsic back and forth.
KVASIR_INLINE void add_four_bytes(__m512i& sum, Quads quads, const uint8_t* four) {
  using Four = const uint8_t(*)[4];
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(quads), "m"(*reinterpret_cast<Four>(four)));
}
// The sums of one token would leave the unit that multiplies waiting for them.
constexpr int tokens_at_once(int /*activation_bytes*/) { return 2; }

// The codes of a group of activations of two bytes are all high bytes, then all low ones.
//
// The products of quads [kFirst, kFirst + kCount) of a group with as many fours of its activations,
// of tokens whose codes lie a stride apart.
template <int kBytes, int kIntegerBits, int64_t kFirst, int64_t kCount, int kTokens>
KVASIR_INLINE void dot_quads(const Quads* quads, const uint8_t* codes, int64_t stride,
                             VecInt (&sums)[kTokens]) {
  __m512i parts[kTokens][kBytes];
  KVASIR_UNROLL
  for (auto& of_token : parts) {
    KVASIR_UNROLL
    for (__m512i& part : of_token) part = _mm512_setzero_si512();
  }
  KVASIR_UNROLL
  for (int64_t q = kFirst; q < kFirst + kCount; ++q) {
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      KVASIR_UNROLL
      for (int b = 0; b < kBytes; ++b)
        add_four_bytes(parts[t][b], quads[q], codes + t * stride + b * kActivationGroup + 4 * q);
    }
  }
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    sums[t] = parts[t][kBytes - 1];
    if constexpr (kBytes == 2)
      sums[t] = _mm512_add_epi32(_mm512_slli_epi32(parts[t][0], 8), sums[t]);
  }
}

// Stores kLanes integers, columns [column, column + kLanes) of a group.
template <int kBytes>
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  const auto store = [](uint8_t* p, __m512i bytes) KVASIR_LAMBDA_INLINE {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(bytes));
  };
  if constexpr (kBytes == 1) return store(codes + column, integers);
  const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(integers, _mm512_set1_epi32(128)), 8);
  const __m512i low = _mm512_sub_epi32(integers, _mm512_slli_epi32(high, 8));
  store(codes + column, high);
  store(codes + kActivationGroup + column, low);
}

}  // namespace
}  // namespace kvasir::kernels::avx512
