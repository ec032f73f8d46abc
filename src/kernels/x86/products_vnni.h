// Exact sums of products of integers by the 256-bit instructions of AVX-VNNI, under the same names
// as in products_avx2.h. AVX512-VNNI has the same ones in another encoding; a file that is compiled
// without -mavxvnni gets that.
#pragma once

#include <cstdint>

#include "kernels/integer_products.h"
#include "kernels/x86/bytes_avx2.h"
#include "kernels/x86/quads_avx2.h"

#if defined(__AVXVNNI__)
#define KVASIR_ENCODING "%{vex%} "
#else
#define KVASIR_ENCODING "%{evex%} "
#endif

namespace kvasir::kernels::avx2 {
namespace {

// ---- bytes and halves of every lane

// Adds to each lane four products of an unsigned byte and a signed one. In assembly, as the
// compiler may then use nothing else of AVX-512, and both encodings are of the same code.
KVASIR_INLINE void add_part_products(__m256i& sum, __m256i unsigned_bytes, __m256i signed_bytes) {
  asm(KVASIR_ENCODING "vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(unsigned_bytes), "x"(signed_bytes));
}
KVASIR_INLINE void add_part_half_products(__m256i& sum, __m256i a, __m256i b) {
  asm(KVASIR_ENCODING "vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
}

using ByteSum = VecInt;

// The offsets are added to the sums.
KVASIR_INLINE ByteSum begin_byte_sum(const uint8_t* offsets) { return load_bytes(offsets); }
// quad: four unsigned bytes, the same for every lane; signed_bytes: four for each lane.
KVASIR_INLINE ByteSum add_byte_products(ByteSum sum, uint32_t quad, VecInt signed_bytes) {
  const __m256i unsigned_bytes = _mm256_set1_epi32(static_cast<int32_t>(quad));
  add_part_products(sum.low, unsigned_bytes, signed_bytes.low);
  add_part_products(sum.high, unsigned_bytes, signed_bytes.high);
  return sum;
}
KVASIR_INLINE Vec end_byte_sum(ByteSum sum, const uint8_t* /*offsets*/) { return to_float(sum); }
// Adds to each lane the products of two halves and two others, all signed.
KVASIR_INLINE void add_half_products(VecInt& sum, VecInt a, VecInt b) {
  add_part_half_products(sum.low, a.low, b.low);
  add_part_half_products(sum.high, a.high, b.high);
}

// See its namesake of floats.
KVASIR_INLINE void keep_in_register(Quads& quads) { asm("" : "+x"(quads.low), "+x"(quads.high)); }

// ---- groups of weights and activations

// The codes of a group of activations are integers of one byte; or of two, as all high bytes and
// then all low ones, both with signs.

KVASIR_INLINE void add_four_bytes(VecInt& sum, const Quads& quads, const uint8_t* four) {
  const __m256i bytes = load_four_bytes(four);
  add_part_products(sum.low, quads.low, bytes);
  add_part_products(sum.high, quads.high, bytes);
}

// Tokens that share what is loaded of the weights: loads are what products wait for. Their sums are
// eight registers.
constexpr int tokens_at_once(int activation_bytes) { return 4 / activation_bytes; }

// The products of quads [kFirst, kFirst + kCount) of a group with as many fours of the activations
// of kTokens tokens. codes: those of the first.
template <int kBytes, int kIntegerBits, int64_t kFirst, int64_t kCount, int kTokens>
KVASIR_INLINE void dot_quads(const Quads* quads, const uint8_t* codes, int64_t stride,
                             VecInt (&sums)[kTokens]) {
  VecInt high[kTokens];
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) high[t] = sums[t] = broadcast_int(0);
  KVASIR_UNROLL
  for (int64_t q = kFirst; q < kFirst + kCount; ++q) {
    Quads shared = quads[q];
    keep_in_register(shared);
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const uint8_t* four = codes + t * stride + 4 * q;
      if constexpr (kBytes == 2) add_four_bytes(high[t], shared, four);
      add_four_bytes(sums[t], shared, four + (kBytes - 1) * kActivationGroup);
    }
  }
  if constexpr (kBytes == 1) return;
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) sums[t] = add_int(shift_left<8>(high[t]), sums[t]);
}

// Stores kLanes integers, columns [column, column + kLanes) of a group.
template <int kBytes>
KVASIR_INLINE void store_activations(uint8_t* codes, int64_t column, VecInt integers) {
  const __m256i halves = to_halves(integers);
  if constexpr (kBytes == 1) return store_as_bytes(codes + column, halves);
  const __m256i high = _mm256_srai_epi16(_mm256_add_epi16(halves, _mm256_set1_epi16(128)), 8);
  const __m256i low = _mm256_sub_epi16(halves, _mm256_slli_epi16(high, 8));
  store_as_bytes(codes + column, high);
  store_as_bytes(codes + kActivationGroup + column, low);
}

}  // namespace
}  // namespace kvasir::kernels::avx2
