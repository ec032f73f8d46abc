// What attention over rows of signed bytes needs, of vectors that compilers know on every
// processor. A part is a quarter of a vector.
#pragma once

#include <cstdint>

#include "kernels/portable/bytes_portable.h"

namespace kvasir::kernels::portable {
namespace {

// Bytes [0, 16) of sixteen rows: lane l of quads[v] has bytes [4 v, 4 v + 4) of row l.
KVASIR_INLINE void load_row_quads(const uint8_t* p, int64_t stride, VecInt (&quads)[4]) {
  for (int64_t row = 0; row < kLanes; ++row, p += stride) {
    for (int64_t v = 0; v < 4; ++v) quads[v][row] = load_as<int32_t>(p + 4 * v);
  }
}

// Bytes [0, count) of four rows, zeros behind them: lane 4 p + i of quads[v] has the four of byte
// 16 p + 4 v + i. REQUIRES: count <= 64.
KVASIR_INLINE void load_channel_quads(const uint8_t* p, int64_t stride, int64_t count,
                                      VecInt (&quads)[4]) {
  for (VecInt& quad : quads) quad = broadcast_int(0);
  for (int64_t byte = 0; byte < count; ++byte) {
    const uint8_t four[4] = {p[byte], p[stride + byte], p[2 * stride + byte], p[3 * stride + byte]};
    quads[byte / 4 % 4][byte / 16 * 4 + byte % 4] = load_as<int32_t>(four);
  }
}

// Part p of v[q] <-> part q of v[p].
KVASIR_INLINE void transpose_parts(VecInt (&v)[4]) {
  VecInt result[4];
  for (int64_t i = 0; i < 4 * kLanes; ++i) {
    const int64_t vec = i / kLanes;
    const int64_t part = i % kLanes / 4;
    result[part][4 * vec + i % 4] = v[vec][i % kLanes];
  }
  for (int64_t i = 0; i < 4; ++i) v[i] = result[i];
}

// Bytes 0 and 2 of each lane as halves, or bytes 1 and 3.
KVASIR_INLINE VecInt odd_signed_bytes(VecInt quads) {
  using SignedHalves = int16_t __attribute__((vector_size(64)));
  return reinterpret_cast<VecInt>(reinterpret_cast<SignedHalves>(quads) >> 8);
}
KVASIR_INLINE VecInt even_signed_bytes(VecInt quads) {
  return odd_signed_bytes(shift_left_int16<8>(quads));
}

}  // namespace
}  // namespace kvasir::kernels::portable
