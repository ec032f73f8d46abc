// Bytes become floats of a Vec here: codes of blocks, all 32 that share a group. And exact sums of
// products of integers.
#pragma once

#include <cstdint>

#include "kernels/portable/formats_portable.h"

namespace kvasir::kernels::portable {
namespace {

// ---- lanes of bytes and halves

using ByteLanes = uint8_t __attribute__((vector_size(64)));
using HalfLanes = uint16_t __attribute__((vector_size(64)));

KVASIR_INLINE VecInt load_bytes(const uint8_t* p) { return load_as<VecInt>(p); }
KVASIR_INLINE void store_vec_bytes(uint8_t* p, VecInt v) { __builtin_memcpy(p, &v, sizeof(v)); }
KVASIR_INLINE VecInt add_int8(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<ByteLanes>(a) + reinterpret_cast<ByteLanes>(b));
}
KVASIR_INLINE VecInt sub_int8(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<ByteLanes>(a) - reinterpret_cast<ByteLanes>(b));
}
KVASIR_INLINE VecInt add_int16(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<HalfLanes>(a) + reinterpret_cast<HalfLanes>(b));
}
KVASIR_INLINE VecInt sub_int16(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<HalfLanes>(a) - reinterpret_cast<HalfLanes>(b));
}
template <int kCount>
KVASIR_INLINE VecInt shift_right_int16(VecInt a) {
  return reinterpret_cast<VecInt>(reinterpret_cast<HalfLanes>(a) >> kCount);
}
template <int kCount>
KVASIR_INLINE VecInt shift_left_int16(VecInt a) {
  return reinterpret_cast<VecInt>(reinterpret_cast<HalfLanes>(a) << kCount);
}
// The kLanes bytes at p.
KVASIR_INLINE VecInt load_byte_lanes(const uint8_t* p) {
  return __builtin_convertvector(load_as<SixteenBytes>(p), VecInt);
}
// Four bytes, the same for every lane.
KVASIR_INLINE VecInt load_quad(const uint8_t* p) { return broadcast_int(load_as<int32_t>(p)); }
// table[the low four bits of each lane]
KVASIR_INLINE Vec look_up_sixteen(const float* table, VecInt index) {
  Vec v;
  for (int64_t i = 0; i < kLanes; ++i) v[i] = table[index[i] & 15];
  return v;
}
// Sixteen bytes of two nibbles each -> target [32]: the values of the low nibbles, then of the high
// ones.
KVASIR_INLINE void look_up_nibbles(const uint8_t* pairs, const uint8_t* values, uint8_t* target) {
  for (int64_t i = 0; i < 16; ++i) {
    target[i] = values[pairs[i] & 15];
    target[16 + i] = values[pairs[i] >> 4];
  }
}

// ---- sums of products: each lane adds four of an unsigned and a signed byte

using ByteSum = VecInt;

// The offsets are added to the sums.
KVASIR_INLINE ByteSum begin_byte_sum(const uint8_t* offsets) { return load_bytes(offsets); }
// quad: four unsigned bytes, the same for every lane; signed_bytes: four for each lane.
KVASIR_INLINE ByteSum add_byte_products(ByteSum sum, uint32_t quad, VecInt signed_bytes) {
  const auto byte = [=](int i) { return static_cast<int32_t>(quad >> (8 * i) & 255); };
  sum += (shift_left<24>(signed_bytes) >> 24) * byte(0);
  sum += (shift_left<16>(signed_bytes) >> 24) * byte(1);
  sum += (shift_left<8>(signed_bytes) >> 24) * byte(2);
  return sum + (signed_bytes >> 24) * byte(3);
}
KVASIR_INLINE Vec end_byte_sum(ByteSum sum, const uint8_t* /*offsets*/) { return to_float(sum); }
// Adds to each lane the products of two halves and two others, all signed.
KVASIR_INLINE void add_half_products(VecInt& sum, VecInt a, VecInt b) {
  sum += (shift_left<16>(a) >> 16) * (shift_left<16>(b) >> 16) + (a >> 16) * (b >> 16);
}
// The low halves of all lanes, of each eight in the order 0 2 4 6 1 3 5 7.
KVASIR_INLINE void store_tile_halves(uint8_t* p, VecInt a) {
  constexpr int kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  SixteenHalves halves;
  for (int i = 0; i < kLanes; ++i)
    halves[i] = static_cast<uint16_t>(a[i / 8 * 8 + kOrder[i % 8]] & 0xffff);
  __builtin_memcpy(p, &halves, sizeof(halves));
}

// ---- thirty-two bytes

using Bytes = uint8_t __attribute__((vector_size(32)));
using SignedBytes = int8_t __attribute__((vector_size(16)));

KVASIR_INLINE Bytes load_thirty_two(const uint8_t* p) { return load_as<Bytes>(p); }
// Sixteen bytes, then the same shifted right by four: the low half of each is a nibble.
KVASIR_INLINE Bytes load_split_nibbles(const uint8_t* p) {
  struct Halves {
    SixteenBytes low;
    SixteenBytes high;
  };
  const auto pairs = load_as<SixteenBytes>(p);
  const Halves halves = {pairs, pairs >> 4};
  return load_as<Bytes>(&halves);
}
struct SplitNibbles {
  const uint8_t* bytes;  // [16]
};
KVASIR_INLINE Bytes broadcast_byte(int value) { return Bytes{} + static_cast<uint8_t>(value); }
KVASIR_INLINE Bytes and_bytes(Bytes a, Bytes b) { return a & b; }
KVASIR_INLINE Bytes or_bytes(Bytes a, Bytes b) { return a | b; }
// a and not b
KVASIR_INLINE Bytes clear_bytes(Bytes a, Bytes b) { return a & ~b; }
KVASIR_INLINE Bytes sub_bytes(Bytes a, Bytes b) { return a - b; }
// By 0 to 7 bits.
KVASIR_INLINE Bytes shift_bytes_right(Bytes a, int64_t count) {
  return a >> static_cast<uint8_t>(count);
}
KVASIR_INLINE Bytes shift_bytes_left(Bytes a, int count) {
  return a << static_cast<uint8_t>(count);
}
// A byte for each bit: all ones where it is set.
KVASIR_INLINE Bytes spread_bits(uint32_t bits) {
  Bytes bytes;
  for (int i = 0; i < 32; ++i) bytes[i] = (bits >> i & 1) != 0 ? 255 : 0;
  return bytes;
}
// Sixteen bytes of four codes each -> target [32]: 16 plus twice the codes at the bits `shift` and
// shift + 1 of all bytes, then those of the two bits above.
KVASIR_INLINE void spread_two_bits(const uint8_t* packed, int64_t shift, uint8_t* target) {
  for (int64_t i = 0; i < 16; ++i) {
    target[i] = static_cast<uint8_t>(16 + 2 * (packed[i] >> shift & 3));
    target[16 + i] = static_cast<uint8_t>(16 + 2 * (packed[i] >> (shift + 2) & 3));
  }
}

// ---- scales of blocks

KVASIR_INLINE float f16_at(const uint8_t* p) { return first_lane(load_f16(p, 1)); }
// target [8] = factor * (byte + added)
KVASIR_INLINE void store_scaled_bytes(float* target, uint64_t bytes, int added, float factor) {
  for (int i = 0; i < 8; ++i)
    target[i] = factor * static_cast<float>(static_cast<int>(bytes >> (8 * i) & 255) + added);
}

// ---- signed bytes to floats

KVASIR_INLINE Vec signed_to_floats(SignedBytes bytes) {
  return __builtin_convertvector(bytes, Vec);
}
KVASIR_INLINE Vec load_signed_bytes(const uint8_t* p) {
  return signed_to_floats(load_as<SignedBytes>(p));
}
KVASIR_INLINE Vec load_signed_bytes(const uint8_t* p, int64_t count) {
  return signed_to_floats(load_partial<SignedBytes>(p, count));
}
KVASIR_INLINE void signed_to_floats(Bytes bytes, Vec (&out)[2]) {
  uint8_t copy[32];
  __builtin_memcpy(copy, &bytes, sizeof(bytes));
  out[0] = load_signed_bytes(copy);
  out[1] = load_signed_bytes(copy + 16);
}

// What `scaled` makes of values[the low four bits of each byte].
template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(Bytes bytes, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  for (int64_t i = 0; i < 32; ++i) out[i / 16][i % 16] = values[bytes[i] & 15];
  for (Vec& v : out) v = scaled(v);
}
template <class Scaled>
KVASIR_INLINE void nibbles_to_floats(SplitNibbles split, const int8_t* values, const Scaled& scaled,
                                     Vec (&out)[2]) {
  nibbles_to_floats(load_split_nibbles(split.bytes), values, scaled, out);
}

}  // namespace
}  // namespace kvasir::kernels::portable
