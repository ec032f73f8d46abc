// What attention over blocks that are multiplied as they are coded shares, whatever the codes:
// queries and weights as integers, and sums of their products. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr float kLargestInteger = 32767;

// Values of several queries as integers, in the order of the codes: see store_tile_halves.
template <int kQueries>
struct TileIntegers {
  uint8_t* halves;  // [kQueries, stride]
  int64_t stride;
  float step[kQueries];  // value = integer * step
};

// values [kQueries, stride], the largest magnitude of `count` each -> their integers. REQUIRES:
// count is a multiple of kTileCodeLanes.
template <int kQueries>
KVASIR_INLINE void round_to_integers(const float* values, int64_t count, const float* largest,
                                     TileIntegers<kQueries>& out) {
  Vec inverse[kQueries];
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    inverse[q] = broadcast(largest[q] > 0 ? kLargestInteger / largest[q] : 0.0f);
    out.step[q] = largest[q] * (1 / kLargestInteger);
  }
  for (int64_t i = 0; i < count; i += kLanes) {
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec value = load(values + q * out.stride + i) * inverse[q];
      store_tile_halves(out.halves + 2 * (q * out.stride + i), to_int(value));
    }
  }
}

// Bytes that will be read soon, fetched line by line between other work.
struct LinesAhead {
  const std::byte* next = nullptr;
  const std::byte* end = nullptr;

  LinesAhead(const std::byte* data, int64_t size)
      : next(data), end(data == nullptr ? data : data + size) {}
  KVASIR_INLINE void fetch(int line_count) {
    for (; line_count > 0 && next < end; --line_count, next += kCacheLineBytes) fetch_to_l2(next);
  }
};

// Adds products of two places of the depth. pairs: halves for each lane; halves: those of the first
// query's integers that they meet.
template <int kQueries, int kVecs>
KVASIR_INLINE void add_pairs(const VecInt (&pairs)[kVecs], const uint8_t* halves, int64_t stride,
                             VecInt (&sums)[kQueries][kVecs]) {
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    const VecInt integers = load_quad(halves + 2 * q * stride);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) add_half_products(sums[q][v], pairs[v], integers);
  }
}

template <int kQueries, int kVecs>
KVASIR_INLINE void clear_sums(VecInt (&sums)[kQueries][kVecs]) {
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[q][v] = broadcast_int(0);
  }
}

// 2^x of x <= 0 within 3 ulp: 2^n times a polynomial in what is left, at most a half. Coefficients
// by Lawson's iteration for the smallest relative error, that of 0 being none.
KVASIR_INLINE Vec exp2_below_zero(Vec x) {
  x = max(x, broadcast(-150.0f));
  const Vec n = round_to_even(x);
  const Vec r = x - n;
  Vec p = broadcast(0x1.5bba14p-10f);
  p = fma(p, r, broadcast(0x1.3cea88p-7f));
  p = fma(p, r, broadcast(0x1.c6b752p-5f));
  p = fma(p, r, broadcast(0x1.ebf9bcp-3f));
  p = fma(p, r, broadcast(0x1.62e42ap-1f));
  p = fma(p, r, broadcast(1.0f));
  return scale_by_power_of_two(p, n);
}

constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2 = 0x1.62e43p-1f;

// Each with the bits of reduce_add, or reduce_max.
template <int kCount>
KVASIR_INLINE void reduce_add_each(const Vec (&v)[kCount], float (&out)[kCodedQueries]) {
  constexpr int kLast = kCount - 1;
  store_four(out, reduce_add_4(v[0], v[kLast < 1 ? kLast : 1], v[kLast < 2 ? kLast : 2], v[kLast]));
}
template <int kCount>
KVASIR_INLINE void reduce_max_each(const Vec (&v)[kCount], float (&out)[kCodedQueries]) {
  constexpr int kLast = kCount - 1;
  store_four(out, reduce_max_4(v[0], v[kLast < 1 ? kLast : 1], v[kLast < 2 ? kLast : 2], v[kLast]));
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
