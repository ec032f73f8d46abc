// This file has the arithmetic on vectors that the other kernels share. Included once per
// instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// Has bytes on their way that will be read soon and lie where no prefetcher looks for them.
constexpr int64_t kCacheLineBytes = 64;
KVASIR_INLINE void fetch_to_l2(const std::byte* data) { __builtin_prefetch(data, 0, 2); }
KVASIR_INLINE void fetch_ahead(const std::byte* data, int64_t size) {
  for (int64_t at = 0; at < size; at += kCacheLineBytes) __builtin_prefetch(data + at);
}

// A plain value at any address.
template <class T>
KVASIR_INLINE T load_value(const uint8_t* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof(T));
  return value;
}
template <class T>
KVASIR_INLINE void store_value(uint8_t* p, T value) {
  __builtin_memcpy(p, &value, sizeof(T));
}

KVASIR_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
KVASIR_INLINE int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The mask of a whole vector.
struct AllLanes {};
constexpr int kParts = kLanes / kPartLanes;
KVASIR_INLINE Part load_part(const float* p, AllLanes, int) { return load_part(p); }
KVASIR_INLINE Vec load(const float* p, AllLanes) { return load(p); }
KVASIR_INLINE void store(float* p, Vec v, AllLanes) { store(p, v); }

// Calls body(index, mask) for [0, size) in steps of kLanes, with AllLanes but for the last.
template <class Body>
KVASIR_INLINE void for_each_vec(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, AllLanes());
  if (i < size) body(i, first_lanes(size - i));
}

// e^x within 2 ulp: x = n ln 2 + r, a Taylor polynomial in r, |r| <= ln(2) / 2. Beyond the clamps
// the result is 0 or infinity.
KVASIR_INLINE Vec exp(Vec x) {
  x = min(max(x, broadcast(-110.0f)), broadcast(90.0f));
  const Vec n = round_to_even(x * broadcast(0x1.715476p+0f));
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  Vec r = fma(n, broadcast(-0x1.62ep-1f), x);
  r = fma(n, broadcast(-0x1.0bfbe8p-15f), r);
  Vec p = broadcast(1.0f / 5040);
  p = fma(p, r, broadcast(1.0f / 720));
  p = fma(p, r, broadcast(1.0f / 120));
  p = fma(p, r, broadcast(1.0f / 24));
  p = fma(p, r, broadcast(1.0f / 6));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p, r, broadcast(1.0f));
  p = fma(p, r, broadcast(1.0f));
  return scale_by_power_of_two(p, n);
}

KVASIR_INLINE Vec sigmoid(Vec x) { return broadcast(1.0f) / (broadcast(1.0f) + exp(zero() - x)); }

// Within 2 ulp: x times a polynomial in x^2 up to 0.625, 1 - 2 / (e^2x + 1) beyond.
KVASIR_INLINE Vec tanh(Vec x) {
  const Vec magnitude = abs(x);
  const Vec far =
      broadcast(1.0f) - broadcast(2.0f) / (exp(magnitude + magnitude) + broadcast(1.0f));
  const Vec square = x * x;
  Vec p = broadcast(-5.70498872745e-3f);
  p = fma(p, square, broadcast(2.06390887954e-2f));
  p = fma(p, square, broadcast(-5.37397155531e-2f));
  p = fma(p, square, broadcast(1.33314422036e-1f));
  p = fma(p, square, broadcast(-3.33332819422e-1f));
  const Vec near = fma(p * square, magnitude, magnitude);
  const Vec value = select_less(magnitude, broadcast(0.625f), near, far);
  return select_less(x, zero(), zero() - value, value);
}

// 1 - erf(x) of x >= 0, to a fraction of 1e-6: t e^(-x^2 + P(t)) with t = 1 / (1 + x / 2), the fit
// of Press et al., Numerical Recipes, 6.2.
KVASIR_INLINE Vec erfc(Vec x) {
  const Vec t = broadcast(1.0f) / fma(broadcast(0.5f), x, broadcast(1.0f));
  Vec p = broadcast(0.17087277f);
  p = fma(p, t, broadcast(-0.82215223f));
  p = fma(p, t, broadcast(1.48851587f));
  p = fma(p, t, broadcast(-1.13520398f));
  p = fma(p, t, broadcast(0.27886807f));
  p = fma(p, t, broadcast(-0.18628806f));
  p = fma(p, t, broadcast(0.09678418f));
  p = fma(p, t, broadcast(0.37409196f));
  p = fma(p, t, broadcast(1.00002368f));
  p = fma(p, t, broadcast(-1.26551223f));
  return t * exp(p - x * x);
}

// Element k belongs to lane k % kLanes of accumulator (k / kLanes) % 4.
float dot(const float* a, const float* b, int64_t size) {
  Vec sums[4] = {zero(), zero(), zero(), zero()};
  int64_t k = 0;
  for (; k + 4 * kLanes <= size; k += 4 * kLanes) {
    KVASIR_UNROLL
    for (int64_t i = 0; i < 4; ++i)
      sums[i] = fma(load(a + k + i * kLanes), load(b + k + i * kLanes), sums[i]);
  }
  KVASIR_UNROLL
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t left = size - k - i * kLanes;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    const int64_t offset = left > 0 ? k + i * kLanes : 0;
    sums[i] = fma(load(a + offset, mask), load(b + offset, mask), sums[i]);
  }
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Four rows' products with one token: stored, or added to what earlier columns gave.
KVASIR_INLINE void put_four(FourFloats four, int64_t row_count, bool is_first, float* y) {
  if (row_count == 4) {
    store_four(y, is_first ? four : load_four(y) + four);
    return;
  }
  float values[4];
  store_four(values, four);
  for (int64_t r = 0; r < row_count; ++r) y[r] = is_first ? values[r] : y[r] + values[r];
}

constexpr int kDotRows = 4;

// The sums that dot_block_of describes, of the rows [kFirst, kFirst + kRows).
template <int kFirst, int kRows, int kTokens, class LoadRow>
KVASIR_INLINE void sum_products(const LoadRow& load_row, const float* x, int64_t x_stride,
                                int64_t cols, Part (&out)[kTokens][kDotRows]) {
  Vec sums[kTokens][kRows];
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    KVASIR_UNROLL
    for (int r = 0; r < kRows; ++r) sums[t][r] = zero();
  }
  const auto add = [&](int64_t begin, auto load_x) KVASIR_LAMBDA_INLINE {
    KVASIR_UNROLL
    for (int part = 0; part < kParts; ++part) {
      const int64_t k = begin + part * kPartLanes;
      Part tokens[kTokens];
      KVASIR_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        tokens[t] = load_x(x + t * x_stride + k, part);
        keep_in_register(tokens[t]);
      }
      KVASIR_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const Part w = load_row(kFirst + r, k);
        KVASIR_UNROLL
        for (int t = 0; t < kTokens; ++t) {
          Part& sum = part_of(sums[t][r], part);
          sum = fma(w, tokens[t], sum);
        }
      }
    }
  };
  int64_t k = 0;
  for (; k + kLanes <= cols; k += kLanes)
    add(k, [](const float* p, int) KVASIR_LAMBDA_INLINE { return load_part(p); });
  if (k < cols) {
    const Mask mask = first_lanes(cols - k);
    add(k,
        [mask](const float* p, int part) KVASIR_LAMBDA_INLINE { return load_part(p, mask, part); });
  }
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    KVASIR_UNROLL
    for (int r = 0; r < kRows; ++r) out[t][kFirst + r] = add_parts(sums[t][r]);
  }
}

// The products of kDotRows rows and kTokens tokens over at most kDotCols columns: lane l adds the
// elements k = l mod kLanes in ascending order, then the lanes are added as in reduce_add, then the
// sum to those of earlier columns. Every dense product of this file's users is summed so.
// load_row(r, k) gives kPartLanes elements of a row, beyond its end zeros or what is finite.
template <int kTokens, class LoadRow>
KVASIR_INLINE void dot_block_of(const LoadRow& load_row, int64_t row_count, const float* x,
                                int64_t x_stride, int64_t cols, bool is_first, float* y,
                                int64_t y_stride) {
  // As many rows at once as there are registers for.
  Part sums[kTokens][kDotRows];
  sum_products<0, kRowsAtOnce>(load_row, x, x_stride, cols, sums);
  if constexpr (kRowsAtOnce < kDotRows)
    sum_products<kRowsAtOnce, kDotRows - kRowsAtOnce>(load_row, x, x_stride, cols, sums);
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    put_four(reduce_add_4(sums[t][0], sums[t][1], sums[t][2], sums[t][3]), row_count, is_first,
             y + t * y_stride);
  }
}

// Of rows that lie as floats, padded to a multiple of kLanes; x is not.
template <int kTokens>
void dot_block(const float* rows, int64_t row_stride, int64_t row_count, const float* x,
               int64_t x_stride, int64_t cols, bool is_first, float* y, int64_t y_stride) {
  dot_block_of<kTokens>([=](int r, int64_t k)
                            KVASIR_LAMBDA_INLINE { return load_part(rows + r * row_stride + k); },
                        row_count, x, x_stride, cols, is_first, y, y_stride);
}

using DotBlock = decltype(&dot_block<1>);

KVASIR_INLINE DotBlock find_dot_block(int64_t token_count) {
  if constexpr (kDotTokens == 6) {
    constexpr DotBlock kBlocks[] = {dot_block<1>, dot_block<2>, dot_block<3>,
                                    dot_block<4>, dot_block<5>, dot_block<6>};
    return kBlocks[token_count - 1];
  } else {
    constexpr DotBlock kBlocks[] = {dot_block<1>, dot_block<2>, dot_block<3>};
    return kBlocks[token_count - 1];
  }
}

// All products of row_count padded rows with token_count tokens over at most kDotCols columns: y[t
// * y_stride + r]. The rows are read in fours, so their storage holds a multiple of four.
KVASIR_INLINE void dot_panel(const float* rows, int64_t row_stride, int64_t row_count,
                             const float* x, int64_t x_stride, int64_t token_count, int64_t cols,
                             bool is_first, float* y, int64_t y_stride) {
  for (int64_t t = 0; t < token_count; t += kDotTokens) {
    const DotBlock block = find_dot_block(smaller(kDotTokens, token_count - t));
    for (int64_t r = 0; r < row_count; r += kDotRows) {
      block(rows + r * row_stride, row_stride, smaller(kDotRows, row_count - r), x + t * x_stride,
            x_stride, cols, is_first, y + t * y_stride + r, y_stride);
    }
  }
}

// The same over any number of columns.
KVASIR_INLINE void dot_rows(const float* rows, int64_t row_stride, int64_t row_count,
                            const float* x, int64_t x_stride, int64_t token_count, int64_t cols,
                            float* y, int64_t y_stride) {
  for (int64_t k = 0; k < cols; k += kDotCols) {
    dot_panel(rows + k, row_stride, row_count, x + k, x_stride, token_count,
              smaller(kDotCols, cols - k), k == 0, y, y_stride);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
