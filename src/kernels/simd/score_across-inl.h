// What follows scores the rows of a tile with lanes that are rows: what dot_rows sums across lanes
// are whole vectors here, added in the same order. The bits are those of dot_rows. Included once
// per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

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

// rows [kAttendTileRows, stride] -> across [dim, kAttendTileRows]
void turn_tile(const float* rows, int64_t stride, int64_t dim, float* across) {
  for (int64_t k = 0; k < dim; k += kLanes) {
    for (int64_t row = 0; row < kAttendTileRows; row += kLanes) {
      Vec square[kLanes];
      KVASIR_UNROLL
      for (int64_t i = 0; i < kLanes; ++i) square[i] = load(rows + (row + i) * stride + k);
      exchange<8>(square);
      exchange<4>(square);
      exchange<2>(square);
      exchange<1>(square);
      KVASIR_UNROLL
      for (int64_t i = 0; i < kLanes; ++i)
        store(across + (k + i) * kAttendTileRows + row, square[i]);
    }
  }
}

// The sums of kQueries queries over some of the columns, row by row: of as many rows at once as
// there are registers for.
template <int kQueries>
struct AcrossSums {
  Vec of[kQueries][kScoreVecs];
};

// A tile's columns and the queries that they are multiplied with.
struct AcrossBlock {
  const float* across;  // [cols, kAttendTileRows]
  const float* q;
  int64_t q_stride;
  int64_t cols;
};

template <int kQueries>
KVASIR_INLINE AcrossSums<kQueries> sum_lane(const AcrossBlock& block, int64_t first) {
  AcrossSums<kQueries> sums;
  KVASIR_UNROLL
  for (int t = 0; t < kQueries; ++t) {
    KVASIR_UNROLL
    for (int v = 0; v < kScoreVecs; ++v) sums.of[t][v] = zero();
  }
  for (int64_t k = first; k < block.cols; k += kLanes) {
    const float* column = block.across + k * kAttendTileRows;
    Part keys[kScoreVecs][kParts];
    KVASIR_UNROLL
    for (int v = 0; v < kScoreVecs; ++v) {
      KVASIR_UNROLL
      for (int p = 0; p < kParts; ++p) {
        keys[v][p] = load_part(column + v * kLanes + p * kPartLanes);
        keep_in_register(keys[v][p]);
      }
    }
    KVASIR_UNROLL
    for (int t = 0; t < kQueries; ++t) {
      const Part x = broadcast_part(block.q[t * block.q_stride + k]);
      KVASIR_UNROLL
      for (int v = 0; v < kScoreVecs; ++v) {
        KVASIR_UNROLL
        for (int p = 0; p < kParts; ++p) {
          Part& sum = part_of(sums.of[t][v], p);
          sum = fma(keys[v][p], x, sum);
        }
      }
    }
  }
  return sums;
}

// The columns kFirst, kFirst + kStep ...: what one lane of dot_rows sums where kStep is kLanes, and
// else the lanes of these, added as it adds them.
template <int kQueries, int kFirst, int kStep>
KVASIR_INLINE AcrossSums<kQueries> sum_columns(const AcrossBlock& block) {
  if constexpr (kStep == kLanes) {
    return sum_lane<kQueries>(block, kFirst);
  } else {
    AcrossSums<kQueries> sums = sum_columns<kQueries, kFirst, 2 * kStep>(block);
    const AcrossSums<kQueries> others = sum_columns<kQueries, kFirst + kStep, 2 * kStep>(block);
    KVASIR_UNROLL
    for (int t = 0; t < kQueries; ++t) {
      KVASIR_UNROLL
      for (int v = 0; v < kScoreVecs; ++v) sums.of[t][v] = sums.of[t][v] + others.of[t][v];
    }
    return sums;
  }
}

// scores [kQueries, kAttendTileRows] of all columns
template <int kQueries>
void score_block(const float* across, const float* q, int64_t dim, float* scores) {
  for (int64_t k = 0; k < dim; k += kDotCols) {
    const AcrossSums<kQueries> sums = sum_columns<kQueries, 0, 1>(
        {across + k * kAttendTileRows, q + k, dim, smaller(kDotCols, dim - k)});
    KVASIR_UNROLL
    for (int t = 0; t < kQueries; ++t) {
      KVASIR_UNROLL
      for (int v = 0; v < kScoreVecs; ++v) {
        float* target = scores + t * kAttendTileRows + v * kLanes;
        store(target, k == 0 ? sums.of[t][v] : load(target) + sums.of[t][v]);
      }
    }
  }
}

template <int kQueries>
KVASIR_INLINE void score_all_rows(const float* across, const float* q, int64_t dim, float* scores) {
  for (int64_t row = 0; row < kAttendTileRows; row += kScoreVecs * kLanes)
    score_block<kQueries>(across + row, q, dim, scores + row);
}

KVASIR_INLINE void score_across(const float* across, const float* q, int64_t dim,
                                int64_t query_count, float* scores) {
  int64_t t = 0;
  for (; t + kScoreQueries <= query_count; t += kScoreQueries)
    score_all_rows<kScoreQueries>(across, q + t * dim, dim, scores + t * kAttendTileRows);
  for (; t + 2 <= query_count; t += 2)
    score_all_rows<2>(across, q + t * dim, dim, scores + t * kAttendTileRows);
  for (; t < query_count; ++t)
    score_all_rows<1>(across, q + t * dim, dim, scores + t * kAttendTileRows);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
