// What AVX2 and AVX-512 have in common for codes that are taken apart as bytes, and their scales.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/vec.h"

namespace kvasir::kernels {
namespace {

// ---- thirty-two bytes

using Bytes = __m256i;

KVASIR_INLINE Bytes load_thirty_two(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KVASIR_INLINE void store_thirty_two(uint8_t* p, Bytes bytes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
}
// Sixteen bytes, then the same shifted right by four: the low half of each is a nibble.
KVASIR_INLINE Bytes load_split_nibbles(const uint8_t* p) {
  const __m128i pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_set_m128i(_mm_srli_epi16(pairs, 4), pairs);
}
struct SplitNibbles {
  const uint8_t* bytes;  // [16]
};
KVASIR_INLINE Bytes broadcast_byte(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
KVASIR_INLINE Bytes and_bytes(Bytes a, Bytes b) { return _mm256_and_si256(a, b); }
KVASIR_INLINE Bytes or_bytes(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
// a and not b
KVASIR_INLINE Bytes clear_bytes(Bytes a, Bytes b) { return _mm256_andnot_si256(b, a); }
KVASIR_INLINE Bytes sub_bytes(Bytes a, Bytes b) { return _mm256_sub_epi8(a, b); }
// By 0 to 7 bits; those that leave a byte may enter its neighbour.
KVASIR_INLINE Bytes shift_bytes_right(Bytes a, int64_t count) {
  return _mm256_srl_epi16(a, _mm_cvtsi64_si128(count));
}
KVASIR_INLINE Bytes shift_bytes_left(Bytes a, int count) { return _mm256_slli_epi16(a, count); }
// A byte for each bit: all ones where it is set.
KVASIR_INLINE Bytes spread_bits(uint32_t bits) {
  const __m256i which = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                         2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i one = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int32_t>(bits)), which);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, one), one);
}
// Sixteen bytes of four codes each -> target [32]: 16 plus twice the codes at the bits `shift` and
// shift + 1 of all bytes, then those of the two bits above.
KVASIR_INLINE void spread_two_bits(const uint8_t* packed, int64_t shift, uint8_t* target) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
  const __m128i low = _mm_srl_epi16(bytes, _mm_cvtsi64_si128(shift));
  const Bytes codes = and_bytes(_mm256_set_m128i(_mm_srli_epi16(low, 2), low), broadcast_byte(3));
  store_thirty_two(target, _mm256_add_epi8(_mm256_add_epi8(codes, codes), broadcast_byte(16)));
}
// Entries of a table of sixteen. REQUIRES: codes below 16.
KVASIR_INLINE Bytes look_up(const int8_t* table, Bytes codes) {
  const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), codes);
}

// ---- scales of blocks

KVASIR_INLINE float f16_at(const uint8_t* p) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si16(p)));
}
// target [8] = factor * (byte + added)
KVASIR_INLINE void store_scaled_bytes(float* target, uint64_t bytes, int added, float factor) {
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
  const __m256i values = _mm256_add_epi32(wide, _mm256_set1_epi32(added));
  _mm256_storeu_ps(target, _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(values)));
}

}  // namespace
}  // namespace kvasir::kernels
