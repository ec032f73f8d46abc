// What attention over rows of signed bytes needs of AVX-512. A part is a quarter of a vector.
#pragma once

#include <cstdint>

#include "kernels/x86/bytes_avx512.h"

namespace kvasir::kernels::avx512 {
namespace {

KVASIR_INLINE VecInt load_parts(const uint8_t* p, int64_t stride) {
  const auto part = [=](int64_t i) KVASIR_LAMBDA_INLINE {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * stride));
  };
  VecInt v = _mm512_castsi128_si512(part(0));
  v = _mm512_mask_broadcast_i32x4(v, 0x00f0, part(1));
  v = _mm512_mask_broadcast_i32x4(v, 0x0f00, part(2));
  return _mm512_mask_broadcast_i32x4(v, 0xf000, part(3));
}

// Bytes [0, 16) of sixteen rows: lane l of quads[v] has bytes [4 v, 4 v + 4) of row l.
KVASIR_INLINE void load_row_quads(const uint8_t* p, int64_t stride, VecInt (&quads)[4]) {
  VecInt rows[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) rows[i] = load_parts(p + i * stride, 4 * stride);
  const VecInt low_ab = _mm512_unpacklo_epi32(rows[0], rows[1]);
  const VecInt low_cd = _mm512_unpacklo_epi32(rows[2], rows[3]);
  const VecInt high_ab = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const VecInt high_cd = _mm512_unpackhi_epi32(rows[2], rows[3]);
  quads[0] = _mm512_unpacklo_epi64(low_ab, low_cd);
  quads[1] = _mm512_unpackhi_epi64(low_ab, low_cd);
  quads[2] = _mm512_unpacklo_epi64(high_ab, high_cd);
  quads[3] = _mm512_unpackhi_epi64(high_ab, high_cd);
}

// Bytes [0, count) of four rows, zeros behind them: lane 4 p + i of quads[v] has the four of byte
// 16 p + 4 v + i. REQUIRES: count <= 64.
KVASIR_INLINE void load_channel_quads(const uint8_t* p, int64_t stride, int64_t count,
                                      VecInt (&quads)[4]) {
  const auto mask = static_cast<__mmask64>(~uint64_t{0} >> (64 - count));
  VecInt rows[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) rows[i] = _mm512_maskz_loadu_epi8(mask, p + i * stride);
  const VecInt low_ab = _mm512_unpacklo_epi8(rows[0], rows[1]);
  const VecInt low_cd = _mm512_unpacklo_epi8(rows[2], rows[3]);
  const VecInt high_ab = _mm512_unpackhi_epi8(rows[0], rows[1]);
  const VecInt high_cd = _mm512_unpackhi_epi8(rows[2], rows[3]);
  quads[0] = _mm512_unpacklo_epi16(low_ab, low_cd);
  quads[1] = _mm512_unpackhi_epi16(low_ab, low_cd);
  quads[2] = _mm512_unpacklo_epi16(high_ab, high_cd);
  quads[3] = _mm512_unpackhi_epi16(high_ab, high_cd);
}

// Part p of v[q] <-> part q of v[p].
KVASIR_INLINE void transpose_parts(VecInt (&v)[4]) {
  const VecInt even_ab = _mm512_shuffle_i32x4(v[0], v[1], 0x88);
  const VecInt odd_ab = _mm512_shuffle_i32x4(v[0], v[1], 0xdd);
  const VecInt even_cd = _mm512_shuffle_i32x4(v[2], v[3], 0x88);
  const VecInt odd_cd = _mm512_shuffle_i32x4(v[2], v[3], 0xdd);
  v[0] = _mm512_shuffle_i32x4(even_ab, even_cd, 0x88);
  v[1] = _mm512_shuffle_i32x4(odd_ab, odd_cd, 0x88);
  v[2] = _mm512_shuffle_i32x4(even_ab, even_cd, 0xdd);
  v[3] = _mm512_shuffle_i32x4(odd_ab, odd_cd, 0xdd);
}

// Bytes 0 and 2 of each lane as halves, or bytes 1 and 3.
KVASIR_INLINE VecInt even_signed_bytes(VecInt quads) {
  return _mm512_srai_epi16(_mm512_slli_epi16(quads, 8), 8);
}
KVASIR_INLINE VecInt odd_signed_bytes(VecInt quads) { return _mm512_srai_epi16(quads, 8); }

}  // namespace
}  // namespace kvasir::kernels::avx512
