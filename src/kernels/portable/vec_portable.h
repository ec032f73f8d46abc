// A Vec is sixteen float lanes as compilers know them on every processor (GCC's and Clang's vector
// types), under the same names as in x86/vec_avx2.h.
#pragma once

#include <cstdint>

#include "kernels/simd/vec.h"

namespace kvasir::kernels::portable {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kPartLanes = 16;

// Vectors are in memory for the most part anyway.
constexpr int kDotTokens = 3;
constexpr int kAcrossTokens = 3;
constexpr int kAcrossVecs = 1;
constexpr int kRowsAtOnce = 2;
constexpr int kDirectRows[] = {0, 4, 2};
constexpr int kBlockRows = 4;
constexpr int kValueHeads = 3;
constexpr int kValueVecs = 2;
constexpr int kPassVecs = 1;
constexpr int kCodeVecs = 1;

using Vec = float __attribute__((vector_size(64)));
using VecInt = int32_t __attribute__((vector_size(64)));
using VecUint = uint32_t __attribute__((vector_size(64)));
using FourFloats = float __attribute__((vector_size(16)));
using Mask = VecInt;
using Part = Vec;

// ---- integers and bits

KVASIR_INLINE VecInt bits(Vec v) { return reinterpret_cast<VecInt>(v); }
KVASIR_INLINE Vec from_bits(VecInt v) { return reinterpret_cast<Vec>(v); }
KVASIR_INLINE VecInt broadcast_int(int32_t value) { return VecInt{} + value; }
// Sums wrap around.
KVASIR_INLINE VecInt add_int(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<VecUint>(a) + reinterpret_cast<VecUint>(b));
}
KVASIR_INLINE VecInt sub_int(VecInt a, VecInt b) {
  return reinterpret_cast<VecInt>(reinterpret_cast<VecUint>(a) - reinterpret_cast<VecUint>(b));
}
KVASIR_INLINE VecInt and_bits(VecInt a, VecInt b) { return a & b; }
KVASIR_INLINE VecInt or_bits(VecInt a, VecInt b) { return a | b; }
template <int kCount>
KVASIR_INLINE VecInt shift_left(VecInt a) {
  return reinterpret_cast<VecInt>(reinterpret_cast<VecUint>(a) << kCount);
}
template <int kCount>
KVASIR_INLINE VecInt shift_right(VecInt a) {
  return reinterpret_cast<VecInt>(reinterpret_cast<VecUint>(a) >> kCount);
}

// ---- whole and partial vectors

KVASIR_INLINE Vec zero() { return Vec{}; }
KVASIR_INLINE Vec broadcast(float value) {
  return Vec{value, value, value, value, value, value, value, value,
             value, value, value, value, value, value, value, value};
}
// REQUIRES: 0 <= count <= kLanes.
KVASIR_INLINE Mask first_lanes(int64_t count) {
  const VecInt lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return lanes < broadcast_int(static_cast<int32_t>(count));
}
template <class Value>
KVASIR_INLINE Value load_as(const void* p) {
  Value value;
  __builtin_memcpy(&value, p, sizeof(Value));
  return value;
}
KVASIR_INLINE Vec load(const float* p) { return load_as<Vec>(p); }
KVASIR_INLINE Vec load(const float* p, Mask mask) {
  Vec v = {};
  for (int64_t i = 0; i < kLanes && mask[i] != 0; ++i) v[i] = load_as<float>(p + i);
  return v;
}
KVASIR_INLINE void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof(v)); }
KVASIR_INLINE void store(float* p, Vec v, Mask mask) {
  for (int64_t i = 0; i < kLanes && mask[i] != 0; ++i) {
    const float lane = v[i];
    __builtin_memcpy(p + i, &lane, sizeof(lane));
  }
}
KVASIR_INLINE FourFloats load_four(const float* p) { return load_as<FourFloats>(p); }
KVASIR_INLINE void store_four(float* p, FourFloats v) { __builtin_memcpy(p, &v, sizeof(v)); }

KVASIR_INLINE Part& part_of(Vec& v, int /*part*/) { return v; }
KVASIR_INLINE Part broadcast_part(float value) { return broadcast(value); }
KVASIR_INLINE Part load_part(const float* p) { return load(p); }
KVASIR_INLINE Part load_part(const float* p, Mask mask, int /*part*/) { return load(p, mask); }
KVASIR_INLINE void keep_in_register(Part& /*part*/) {}

// ---- arithmetic

KVASIR_INLINE Vec select(Vec v, Mask mask, Vec otherwise) {
  return from_bits((bits(v) & mask) | (bits(otherwise) & ~mask));
}
// Lane by lane: a < b ? x : y
KVASIR_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) { return select(x, a < b, y); }
// The second operand where one is not a number, as x86 has it.
KVASIR_INLINE Vec max(Vec a, Vec b) { return select(a, a > b, b); }
KVASIR_INLINE Vec min(Vec a, Vec b) { return select(a, a < b, b); }
KVASIR_INLINE Vec abs(Vec a) { return from_bits(bits(a) & INT32_MAX); }
KVASIR_INLINE float square_root(float x) { return __builtin_sqrtf(x); }

#if defined(__FP_FAST_FMAF)
// a * b + c, rounded once
KVASIR_INLINE Vec fma(Vec a, Vec b, Vec c) {
  Vec result;
  for (int64_t i = 0; i < kLanes; ++i) result[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return result;
}
#else
using Eight = float __attribute__((vector_size(32)));
using Wide = double __attribute__((vector_size(64)));
using WideInt = int64_t __attribute__((vector_size(64)));
using WideUint = uint64_t __attribute__((vector_size(64)));

// In float64 the product is exact. Their sum is rounded to odd: where anything is lost, its last
// bit is set. So the second rounding, to float32, sees on which side of a tie it lies.
KVASIR_INLINE Eight fma_of_eight(Eight a, Eight b, Eight c) {
  const Wide product = __builtin_convertvector(a, Wide) * __builtin_convertvector(b, Wide);
  const Wide addend = __builtin_convertvector(c, Wide);
  const Wide sum = product + addend;
  const Wide back = sum - product;
  const Wide lost = (product - (sum - back)) + (addend - back);
  const auto sum_bits = reinterpret_cast<WideUint>(sum);
  const auto is_lossy = reinterpret_cast<WideUint>((lost < 0.0) | (lost > 0.0));
  // An even sum moves by one towards what was lost.
  const WideUint step = is_lossy & ((sum_bits & 1) ^ 1);
  const WideUint is_opposite = (sum_bits ^ reinterpret_cast<WideUint>(lost)) >> 63;
  const WideUint odd = sum_bits + (step ^ (0 - is_opposite)) + is_opposite;
  const WideUint rounded = (odd & is_lossy) | (sum_bits & ~is_lossy);
  return __builtin_convertvector(reinterpret_cast<Wide>(rounded), Eight);
}
// a * b + c, rounded once. A call costs less than the code of all of them inline would.
[[gnu::noinline]] Vec fma(Vec a, Vec b, Vec c) {
  struct Halves {
    Eight low;
    Eight high;
  };
  const auto x = load_as<Halves>(&a);
  const auto y = load_as<Halves>(&b);
  const auto z = load_as<Halves>(&c);
  const Halves result = {fma_of_eight(x.low, y.low, z.low), fma_of_eight(x.high, y.high, z.high)};
  return load_as<Vec>(&result);
}
#endif
// a * b - c in even lanes, a * b + c in odd lanes
KVASIR_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) {
  constexpr int32_t kSign = INT32_MIN;
  const VecInt even = {kSign, 0, kSign, 0, kSign, 0, kSign, 0,
                       kSign, 0, kSign, 0, kSign, 0, kSign, 0};
  return fma(a, b, from_bits(bits(c) ^ even));
}

// From 2^23 on all numbers are whole; below, adding that much leaves no room for a fraction.
KVASIR_INLINE Vec round_to_even(Vec a) {
  const VecInt sign = bits(a) & INT32_MIN;
  const Vec anchor = broadcast(0x1p23f);
  const Vec whole = (abs(a) + anchor) - anchor;
  return select(from_bits(bits(whole) | sign), abs(a) < anchor, a);
}
KVASIR_INLINE Vec to_float(VecInt a) { return __builtin_convertvector(a, Vec); }
// Round to nearest even; what has no int32 becomes the smallest one.
KVASIR_INLINE VecInt to_int(Vec a) {
  const Mask fits = abs(a) < broadcast(0x1p31f);
  const VecInt whole = __builtin_convertvector(round_to_even(select(a, fits, zero())), VecInt);
  return (whole & fits) | (INT32_MIN & ~fits);
}
// a * 2^n, rounded once. In two steps, because 2^n itself may be out of range; the first one is
// exact. REQUIRES: n integral, |n| <= 250; a in [0.5, 2].
KVASIR_INLINE Vec scale_by_power_of_two(Vec a, Vec n) {
  const VecInt whole = to_int(n);
  const VecInt half = whole >> 1;
  const VecInt rest = whole - half;
  return a * from_bits((half + 127) << 23) * from_bits((rest + 127) << 23);
}

// ---- across lanes. Sums always pair lanes 8 apart, then 4, 2, 1.

KVASIR_INLINE float first_lane(Vec v) { return v[0]; }

// Lane l gets lane l ^ kDistance.
template <int64_t kDistance>
KVASIR_INLINE Vec swap_lanes(Vec v) {
  Vec swapped;
  KVASIR_UNROLL
  for (int64_t i = 0; i < kLanes; ++i) swapped[i] = v[i ^ kDistance];
  return swapped;
}

// Lanes l of a where l & kDistance is 0, of b elsewhere.
template <int64_t kDistance>
KVASIR_INLINE Vec merge_lanes(Vec a, Vec b) {
  Vec merged;
  KVASIR_UNROLL
  for (int64_t i = 0; i < kLanes; ++i) merged[i] = (i & kDistance) == 0 ? a[i] : b[i];
  return merged;
}

template <class Join>
KVASIR_INLINE float reduce(Vec v, const Join& join) {
  KVASIR_UNROLL
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    KVASIR_UNROLL
    for (int64_t i = 0; i < half; ++i) v[i] = join(v[i], v[i + half]);
  }
  return v[0];
}
KVASIR_INLINE float reduce_add(Vec v) {
  return reduce(v, [](float a, float b) KVASIR_LAMBDA_INLINE { return a + b; });
}
KVASIR_INLINE float reduce_max(Vec v) {
  return reduce(v, [](float a, float b) KVASIR_LAMBDA_INLINE { return a > b ? a : b; });
}
KVASIR_INLINE Part add_parts(Vec v) { return v; }
KVASIR_INLINE FourFloats reduce_add_4(Vec a, Vec b, Vec c, Vec d) {
  return FourFloats{reduce_add(a), reduce_add(b), reduce_add(c), reduce_add(d)};
}
KVASIR_INLINE FourFloats reduce_max_4(Vec a, Vec b, Vec c, Vec d) {
  return FourFloats{reduce_max(a), reduce_max(b), reduce_max(c), reduce_max(d)};
}
// A 4 x 4 matrix, row by row: each lane gets the sum of its column.
KVASIR_INLINE Vec column_sums(Vec m) {
  const Vec pairs = m + swap_lanes<8>(m);
  return pairs + swap_lanes<4>(pairs);
}

}  // namespace
}  // namespace kvasir::kernels::portable
