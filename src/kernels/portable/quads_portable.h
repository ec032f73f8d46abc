// What integer products need, of vectors that compilers know on every processor: sixteen lanes of
// four bytes.
#pragma once

#include <cstdint>

#include "kernels/integer_products.h"
#include "kernels/portable/vec_portable.h"

namespace kvasir::kernels::portable {
namespace {

// Four unsigned bytes for each lane, the first in the low bits.
using Quads = VecInt;

KVASIR_INLINE Quads load_quads(const uint8_t* p) {
  Quads quads;
  for (int64_t i = 0; i < kLanes; ++i) {
    const uint8_t* four = p + 4 * i;
    quads[i] = static_cast<int32_t>(four[0] | four[1] << 8 | four[2] << 16 |
                                    static_cast<uint32_t>(four[3]) << 24);
  }
  return quads;
}
KVASIR_INLINE Quads low_nibbles(Quads a) { return a & broadcast_int(0x0f0f0f0f); }
KVASIR_INLINE Quads high_nibbles(Quads a) { return low_nibbles(shift_right<4>(a)); }
template <int kByte>
KVASIR_INLINE VecInt byte_of(Quads a) {
  return shift_right<8 * kByte>(a) & broadcast_int(255);
}
// table [16], at the bytes of a, which are below 16
KVASIR_INLINE Quads look_up_quads(const uint8_t* table, Quads a) {
  Quads result;
  for (int64_t i = 0; i < kLanes; ++i) {
    const auto codes = static_cast<uint32_t>(a[i]);
    result[i] = static_cast<int32_t>(table[codes & 15] | table[codes >> 8 & 15] << 8 |
                                     table[codes >> 16 & 15] << 16 |
                                     static_cast<uint32_t>(table[codes >> 24]) << 24);
  }
  return result;
}

// The codes of a group of activations are its integers.
template <int kBytes>
struct IntegerOf;
template <>
struct IntegerOf<1> {
  using Type = int8_t;
};
template <>
struct IntegerOf<2> {
  using Type = int16_t;
};

constexpr int tokens_at_once(int /*activation_bytes*/) { return 1; }

// The products of quads [kFirst, kFirst + kCount) of a group with as many fours of its activations.
template <int kBytes, int kIntegerBits, int64_t kFirst, int64_t kCount>
KVASIR_INLINE void dot_quads(const Quads* quads, const uint8_t* codes, int64_t /*stride*/,
                             VecInt (&sums)[1]) {
  VecInt& sum = sums[0] = broadcast_int(0);
  for (int64_t q = kFirst; q < kFirst + kCount; ++q) {
    typename IntegerOf<kBytes>::Type x[4];
    __builtin_memcpy(x, codes + 4 * kBytes * q, sizeof(x));
    sum += byte_of<0>(quads[q]) * broadcast_int(x[0]) + byte_of<1>(quads[q]) * broadcast_int(x[1]) +
           byte_of<2>(quads[q]) * broadcast_int(x[2]) + byte_of<3>(quads[q]) * broadcast_int(x[3]);
  }
}

// Stores kLanes integers, columns [column, column + kLanes) of a group.
template <int kBytes>
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  for (int64_t i = 0; i < kLanes; ++i) {
    const auto integer = static_cast<typename IntegerOf<kBytes>::Type>(integers[i]);
    __builtin_memcpy(codes + kBytes * (column + i), &integer, sizeof(integer));
  }
}

}  // namespace
}  // namespace kvasir::kernels::portable
