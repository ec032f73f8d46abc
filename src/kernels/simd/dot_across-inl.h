// What follows multiplies tiles of rows with tokens with lanes that are rows: what dot_rows sums
// across lanes are whole vectors here, added in the same order. The bits are those of dot_rows.
// Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kAcrossRows = kAttendTileRows;  // of a tile

// Of sixteen rows of sixteen floats, the blocks of kDistance columns that lie off the diagonal of
// each block twice as large change places. From 8 down to 1, columns become rows.
template <int64_t kDistance>
KVASIR_INLINE void exchange(Vec (&square)[kLanes]) {
  KVASIR_UNROLL
  for (int64_t i = 0; i < kLanes; ++i) {
    if (i & kDistance) continue;
    Vec& a = square[i];
    Vec& b = square[i + kDistance];
    const Vec first = merge_lanes<kDistance>(a, swap_lanes<kDistance>(b));
    b = merge_lanes<kDistance>(swap_lanes<kDistance>(a), b);
    a = first;
  }
}

// rows [kAcrossRows, stride] -> across [dim, kAcrossRows]
void turn_tile(const float* rows, int64_t stride, int64_t dim, float* across) {
  for (int64_t k = 0; k < dim; k += kLanes) {
    for (int64_t row = 0; row < kAcrossRows; row += kLanes) {
      Vec square[kLanes];
      KVASIR_UNROLL
      for (int64_t i = 0; i < kLanes; ++i) square[i] = load(rows + (row + i) * stride + k);
      exchange<8>(square);
      exchange<4>(square);
      exchange<2>(square);
      exchange<1>(square);
      KVASIR_UNROLL
      for (int64_t i = 0; i < kLanes; ++i) store(across + (k + i) * kAcrossRows + row, square[i]);
    }
  }
}

// The sums of kTokens tokens over some of the columns, row by row: of as many rows at once as there
// are registers for.
template <int kTokens>
struct AcrossSums {
  Vec of[kTokens][kAcrossVecs];
};

// A tile's columns, the tokens that they are multiplied with, and where the products lie.
struct AcrossStep {
  const float* across;  // [cols, kAcrossRows]
  int64_t cols;
  const float* x;  // [tokens, cols]
  int64_t x_stride;
  float* y;  // [tokens, kAcrossRows]
  int64_t y_stride;
};

// The columns first, first + kLanes ... below `end`.
template <int kTokens>
KVASIR_INLINE AcrossSums<kTokens> sum_lane(const AcrossStep& step, int64_t first, int64_t end) {
  AcrossSums<kTokens> sums;
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    KVASIR_UNROLL
    for (int v = 0; v < kAcrossVecs; ++v) sums.of[t][v] = zero();
  }
  for (int64_t k = first; k < end; k += kLanes) {
    const float* column = step.across + k * kAcrossRows;
    Part rows[kAcrossVecs][kParts];
    KVASIR_UNROLL
    for (int v = 0; v < kAcrossVecs; ++v) {
      KVASIR_UNROLL
      for (int p = 0; p < kParts; ++p) {
        rows[v][p] = load_part(column + v * kLanes + p * kPartLanes);
        keep_in_register(rows[v][p]);
      }
    }
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const Part x = broadcast_part(step.x[t * step.x_stride + k]);
      KVASIR_UNROLL
      for (int v = 0; v < kAcrossVecs; ++v) {
        KVASIR_UNROLL
        for (int p = 0; p < kParts; ++p) {
          Part& sum = part_of(sums.of[t][v], p);
          sum = fma(rows[v][p], x, sum);
        }
      }
    }
  }
  return sums;
}

// The columns begin + kFirst, begin + kFirst + kStep ...: what one lane of dot_rows sums where
// kStep is kLanes, and else the lanes of these, added as it adds them.
template <int kTokens, int kFirst, int kStep>
KVASIR_INLINE AcrossSums<kTokens> sum_columns(const AcrossStep& step, int64_t begin, int64_t end) {
  if constexpr (kStep == kLanes) {
    return sum_lane<kTokens>(step, begin + kFirst, end);
  } else {
    AcrossSums<kTokens> sums = sum_columns<kTokens, kFirst, 2 * kStep>(step, begin, end);
    const AcrossSums<kTokens> others =
        sum_columns<kTokens, kFirst + kStep, 2 * kStep>(step, begin, end);
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      KVASIR_UNROLL
      for (int v = 0; v < kAcrossVecs; ++v) sums.of[t][v] = sums.of[t][v] + others.of[t][v];
    }
    return sums;
  }
}

// As many of the rows as there are registers for.
template <int kTokens>
void across_block(const AcrossStep& step) {
  for (int64_t k = 0; k < step.cols; k += kDotCols) {
    const AcrossSums<kTokens> sums =
        sum_columns<kTokens, 0, 1>(step, k, smaller(k + kDotCols, step.cols));
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      KVASIR_UNROLL
      for (int v = 0; v < kAcrossVecs; ++v) {
        float* target = step.y + t * step.y_stride + v * kLanes;
        store(target, k == 0 ? sums.of[t][v] : load(target) + sums.of[t][v]);
      }
    }
  }
}

template <int kTokens>
KVASIR_INLINE void all_across_rows(const AcrossStep& step) {
  for (int64_t row = 0; row < kAcrossRows; row += kAcrossVecs * kLanes) {
    AcrossStep some = step;
    some.across += row;
    some.y += row;
    across_block<kTokens>(some);
  }
}

// All products of the tile.
KVASIR_INLINE void dot_across(AcrossStep step, int64_t token_count) {
  const auto take = [&](auto multiply, int64_t count) KVASIR_LAMBDA_INLINE {
    for (; token_count >= count; token_count -= count) {
      multiply(step);
      step.x += count * step.x_stride;
      step.y += count * step.y_stride;
    }
  };
  take(all_across_rows<kAcrossTokens>, kAcrossTokens);
  take(all_across_rows<2>, 2);
  take(all_across_rows<1>, 1);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
