// What attention over rows of signed bytes needs of AVX2. A part is a quarter of a VecInt.
#pragma once

#include <cstdint>

#include "kernels/x86/bytes_avx2.h"

namespace kvasir::kernels::avx2 {
namespace {

// The parts at p and at p + distance.
KVASIR_INLINE __m256i load_two_parts(const uint8_t* p, int64_t distance) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_sixteen(p)),
                                 load_sixteen(p + distance), 1);
}

// Bytes [0, 16) of sixteen rows: lane l of quads[v] has bytes [4 v, 4 v + 4) of row l.
KVASIR_INLINE void load_row_quads(const uint8_t* p, int64_t stride, VecInt (&quads)[4]) {
  const auto load_half = [&](const uint8_t* half, __m256i VecInt::*to) KVASIR_LAMBDA_INLINE {
    __m256i rows[4];
    KVASIR_UNROLL
    for (int i = 0; i < 4; ++i) rows[i] = load_two_parts(half + i * stride, 4 * stride);
    const __m256i low_ab = _mm256_unpacklo_epi32(rows[0], rows[1]);
    const __m256i low_cd = _mm256_unpacklo_epi32(rows[2], rows[3]);
    const __m256i high_ab = _mm256_unpackhi_epi32(rows[0], rows[1]);
    const __m256i high_cd = _mm256_unpackhi_epi32(rows[2], rows[3]);
    quads[0].*to = _mm256_unpacklo_epi64(low_ab, low_cd);
    quads[1].*to = _mm256_unpackhi_epi64(low_ab, low_cd);
    quads[2].*to = _mm256_unpacklo_epi64(high_ab, high_cd);
    quads[3].*to = _mm256_unpackhi_epi64(high_ab, high_cd);
  };
  load_half(p, &VecInt::low);
  load_half(p + 8 * stride, &VecInt::high);
}

// Bytes [0, count) of four rows, zeros behind them: lane 4 p + i of quads[v] has the four of byte
// 16 p + 4 v + i. REQUIRES: count is a multiple of 16, at most 64.
KVASIR_INLINE void load_channel_quads(const uint8_t* p, int64_t stride, int64_t count,
                                      VecInt (&quads)[4]) {
  const auto load_half = [&](int64_t first, __m256i VecInt::*to) KVASIR_LAMBDA_INLINE {
    __m256i rows[4];
    KVASIR_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint8_t* row = p + i * stride + first;
      if (count >= first + 32) {
        rows[i] = load_part_bytes(row);
      } else {
        rows[i] =
            count > first ? _mm256_zextsi128_si256(load_sixteen(row)) : _mm256_setzero_si256();
      }
    }
    const __m256i low_ab = _mm256_unpacklo_epi8(rows[0], rows[1]);
    const __m256i low_cd = _mm256_unpacklo_epi8(rows[2], rows[3]);
    const __m256i high_ab = _mm256_unpackhi_epi8(rows[0], rows[1]);
    const __m256i high_cd = _mm256_unpackhi_epi8(rows[2], rows[3]);
    quads[0].*to = _mm256_unpacklo_epi16(low_ab, low_cd);
    quads[1].*to = _mm256_unpackhi_epi16(low_ab, low_cd);
    quads[2].*to = _mm256_unpacklo_epi16(high_ab, high_cd);
    quads[3].*to = _mm256_unpackhi_epi16(high_ab, high_cd);
  };
  load_half(0, &VecInt::low);
  load_half(32, &VecInt::high);
}

KVASIR_INLINE __m256i first_parts(__m256i a, __m256i b) {
  return _mm256_permute2x128_si256(a, b, 0x20);
}
KVASIR_INLINE __m256i second_parts(__m256i a, __m256i b) {
  return _mm256_permute2x128_si256(a, b, 0x31);
}
// Part p of v[q] <-> part q of v[p].
KVASIR_INLINE void transpose_parts(VecInt (&v)[4]) {
  const auto [a, b, c, d] = v;
  v[0] = {first_parts(a.low, b.low), first_parts(c.low, d.low)};
  v[1] = {second_parts(a.low, b.low), second_parts(c.low, d.low)};
  v[2] = {first_parts(a.high, b.high), first_parts(c.high, d.high)};
  v[3] = {second_parts(a.high, b.high), second_parts(c.high, d.high)};
}

// Bytes 0 and 2 of each lane as halves, or bytes 1 and 3.
KVASIR_INLINE VecInt odd_signed_bytes(VecInt quads) {
  return {_mm256_srai_epi16(quads.low, 8), _mm256_srai_epi16(quads.high, 8)};
}
KVASIR_INLINE VecInt even_signed_bytes(VecInt quads) {
  return odd_signed_bytes(shift_left_int16<8>(quads));
}

// Lanes l of a where l & kDistance is 0, of b elsewhere.
template <int64_t kDistance>
KVASIR_INLINE Vec merge_lanes(Vec a, Vec b) {
  if constexpr (kDistance == 8) return {a.low, b.high};
  if constexpr (kDistance < 8) {
    constexpr int kOfB = kDistance == 1 ? 0xaa : kDistance == 2 ? 0xcc : 0xf0;
    return {_mm256_blend_ps(a.low, b.low, kOfB), _mm256_blend_ps(a.high, b.high, kOfB)};
  }
}

}  // namespace
}  // namespace kvasir::kernels::avx2
