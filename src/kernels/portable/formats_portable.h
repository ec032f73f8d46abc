// Stored number formats become floats of a Vec here, in natural lane order, and back. The partial
// loads touch `count` elements only.
#pragma once

#include <cstdint>

#include "kernels/portable/vec_portable.h"

namespace kvasir::kernels::portable {
namespace {

using SixteenBytes = uint8_t __attribute__((vector_size(16)));
using SixteenHalves = uint16_t __attribute__((vector_size(32)));

KVASIR_INLINE void store_int(int32_t* p, VecInt a) { __builtin_memcpy(p, &a, sizeof(a)); }
// Stores the low byte or half of the first count lanes.
KVASIR_INLINE void store_bytes(uint8_t* p, VecInt a, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = static_cast<uint8_t>(a[i] & 0xff);
}
KVASIR_INLINE void store_halves(uint8_t* p, VecInt a, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    p[2 * i] = static_cast<uint8_t>(a[i] & 0xff);
    p[2 * i + 1] = static_cast<uint8_t>((a[i] >> 8) & 0xff);
  }
}
// The first half of the lanes from memory, each one twice: c0 c0 c1 c1 ...
KVASIR_INLINE Vec load_twice(const float* p, Mask pair_mask) {
  Vec v = {};
  for (int64_t i = 0; i < kLanes / 2 && pair_mask[i] != 0; ++i) v[2 * i] = v[2 * i + 1] = p[i];
  return v;
}

// The first `bytes` bytes, zeros after them.
template <class Value>
KVASIR_INLINE Value load_partial(const uint8_t* p, int64_t bytes) {
  uint8_t copy[sizeof(Value)] = {};
  for (int64_t i = 0; i < bytes; ++i) copy[i] = p[i];
  return load_as<Value>(copy);
}

KVASIR_INLINE Vec widen_bf16(SixteenHalves halves) {
  return from_bits(shift_left<16>(__builtin_convertvector(halves, VecInt)));
}
KVASIR_INLINE Vec load_bf16(const uint8_t* p) { return widen_bf16(load_as<SixteenHalves>(p)); }
KVASIR_INLINE Part load_bf16_part(const uint8_t* p) { return load_bf16(p); }
KVASIR_INLINE Vec load_bf16(const uint8_t* p, int64_t count) {
  return widen_bf16(load_partial<SixteenHalves>(p, 2 * count));
}

// The fields of a half, moved to their places in a float32, read as value * 2^-112; subnormals are
// subnormals there too. The largest exponent stands for infinity and what is not a number.
KVASIR_INLINE Vec widen_f16(SixteenHalves halves) {
  const VecInt wide = __builtin_convertvector(halves, VecInt);
  const VecInt sign = shift_left<16>(wide & 0x8000);
  const VecInt magnitude = wide & 0x7fff;
  const Vec finite = from_bits(shift_left<13>(magnitude)) * broadcast(0x1p112f);
  const VecInt is_special = magnitude > 0x7bff;
  return from_bits(bits(finite) | sign | (is_special & 0x7f800000));
}
KVASIR_INLINE Vec load_f16(const uint8_t* p) { return widen_f16(load_as<SixteenHalves>(p)); }
KVASIR_INLINE Part load_f16_part(const uint8_t* p) { return load_f16(p); }
KVASIR_INLINE Vec load_f16(const uint8_t* p, int64_t count) {
  return widen_f16(load_partial<SixteenHalves>(p, 2 * count));
}

// An E4M3 code, its fields moved to their places in a float32, reads as value * 2^-120; subnormals
// are subnormals there too.
constexpr float kFp8Factor = 0x1p120f;
KVASIR_INLINE Vec widen_fp8(SixteenBytes codes) {
  const VecInt wide = __builtin_convertvector(codes, VecInt);
  return from_bits(shift_left<24>(wide & 0x80) | shift_left<20>(wide & 0x7f));
}
KVASIR_INLINE Vec load_fp8(const uint8_t* p) { return widen_fp8(load_as<SixteenBytes>(p)); }
KVASIR_INLINE Vec load_fp8(const uint8_t* p, int64_t count) {
  return widen_fp8(load_partial<SixteenBytes>(p, count));
}

// ---- FP4, sixteen codes in eight bytes, in natural order

KVASIR_INLINE Vec arrange_for_fp4(Vec v) { return v; }
KVASIR_INLINE Vec restore_from_fp4(Vec v) { return v; }
// table: the values of codes 0 to 15
KVASIR_INLINE Vec look_up_fp4(uint64_t codes, const float* table) {
  Vec v;
  for (int64_t i = 0; i < kLanes; ++i) v[i] = table[codes >> (4 * i) & 15];
  return v;
}
// The bytes hold the lowest codes first.
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table, int64_t count) {
  uint64_t codes = 0;
  for (int64_t i = 0; i < (count + 1) / 2; ++i) codes |= uint64_t{p[i]} << (8 * i);
  return look_up_fp4(codes, table);
}
KVASIR_INLINE Vec load_fp4(const uint8_t* p, const float* table) {
  return load_fp4(p, table, kLanes);
}

}  // namespace
}  // namespace kvasir::kernels::portable
