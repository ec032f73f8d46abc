// What AVX2 and AVX-512 have in common: four floats, single values, sixteen bytes.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/vec.h"

namespace kvasir::kernels {
namespace {

using FourFloats = __m128;

KVASIR_INLINE FourFloats load_four(const float* p) { return _mm_loadu_ps(p); }
KVASIR_INLINE void store_four(float* p, FourFloats v) { _mm_storeu_ps(p, v); }

KVASIR_INLINE float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

// Sixteen bytes of two nibbles each -> target [32]: the values of the low nibbles, then of the high
// ones.
KVASIR_INLINE void look_up_nibbles(const uint8_t* pairs, const uint8_t* values, uint8_t* target) {
  const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pairs));
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i low = _mm_shuffle_epi8(table, _mm_and_si128(codes, nibble));
  const __m128i high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(codes, 4), nibble));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target), low);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target + 16), high);
}

// Equal values would be computed once: hides from the compiler what this one is.
template <class Register>
KVASIR_INLINE void forget(Register& value) {
  asm volatile("" : "+x"(value));
}

}  // namespace
}  // namespace kvasir::kernels
