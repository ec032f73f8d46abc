// What follows does the same as attend_tile-inl.h over rows that few queries read where they lie:
// nothing is written in between, and rows that come late from memory hold up less. Included once
// per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// How many vectors of columns are summed at once.
template <int kVecs>
struct Vecs {
  static constexpr int kCount = kVecs;
};

KVASIR_INLINE void fetch_row(const TileRows& tile, int64_t row) {
  if (row >= tile.following) return;
  for (int64_t at = 0; at < tile.vector_count * tile.vector_bytes; at += kCacheLineBytes)
    fetch_to_l2(tile.rows[row] + at);
}

// A TileFetch has the rows of the next tile on their way, vector by vector in the order in which
// they lie, whatever is read meanwhile. Not into the L1 cache, whose few places for what is on its
// way are taken by what is read now. Measured: twice as fast.
struct TileFetch {
  const TileRows& tile;
  int64_t done = 0;  // vectors

  // Rows are fetched whole, when the turn of their last vector has come.
  KVASIR_INLINE void fetch_vectors(int64_t count) {
    const int64_t end = kAttendTileRows + (done + count) / tile.vector_count;
    for (int64_t row = kAttendTileRows + done / tile.vector_count; row < end; ++row)
      fetch_row(tile, row);
    done += count;
  }
};

// Nothing has fetched the first tile of a list.
KVASIR_INLINE void fetch_first_tile(const TileRows& tile) {
  for (int64_t row = 0; row < tile.count; ++row) fetch_row(tile, row);
}

// Rows of codecs that are read where they lie, kPartLanes elements from the element i on.
struct F32Rows {
  static constexpr int64_t kBytes = 4;
  static KVASIR_INLINE Part at(const std::byte* row, int64_t i) {
    return load_part(reinterpret_cast<const float*>(row) + i);
  }
};
struct Bf16Rows {
  static constexpr int64_t kBytes = 2;
  static KVASIR_INLINE Part at(const std::byte* row, int64_t i) {
    return load_bf16_part(reinterpret_cast<const uint8_t*>(row) + 2 * i);
  }
};
struct F16Rows {
  static constexpr int64_t kBytes = 2;
  static KVASIR_INLINE Part at(const std::byte* row, int64_t i) {
    return load_f16_part(reinterpret_cast<const uint8_t*>(row) + 2 * i);
  }
};

// scores [kQueries, kAttendTileRows] of the rows [begin, begin + kDotRows), summed as dot_rows
// does.
template <class Rows, int kQueries>
void score_in_place(const TileRows& tile, int64_t begin, int64_t vector, const float* q,
                    int64_t dim, float* scores) {
  const std::byte* rows[kDotRows];
  for (int64_t r = 0; r < kDotRows; ++r)
    rows[r] = tile.at(smaller(begin + r, tile.count - 1), vector);
  dot_block_of<kQueries>(
      [&](int r, int64_t k) KVASIR_LAMBDA_INLINE { return Rows::at(rows[r], k); },
      smaller(kDotRows, tile.count - begin), q, dim, dim, true, scores + begin, kAttendTileRows);
}

// The sums of kQueries queries, from place `query` of the scratch on, over the rows of the tile.
template <class Rows, int kQueries>
void add_in_place(const TileRows& tile, int64_t vector, const AttendScratch& s, int64_t query,
                  float* out, int64_t dim) {
  TileFetch fetch = {tile, vector * kAttendTileRows};
  const auto add = [&](int64_t column, auto vecs) KVASIR_LAMBDA_INLINE {
    constexpr int kVecs = decltype(vecs)::kCount;
    const auto load_value = [&](int64_t j, int64_t i) KVASIR_LAMBDA_INLINE {
      if (i == 0 && column == 0) fetch.fetch_vectors(1);
      return Rows::at(tile.at(j, vector), column + i);
    };
    add_weighted_rows_of<kQueries, kVecs>(load_value, s, tile.count, query, out + column, dim,
                                          AllLanes());
  };
  int64_t column = 0;
  for (; column + kValueVecs * kLanes <= dim; column += kValueVecs * kLanes)
    add(column, Vecs<kValueVecs>());
  for (; column < dim; column += kLanes) add(column, Vecs<1>());
}

// By how many queries take part, one to kDotTokens.
using ScoreInPlace = decltype(&score_in_place<F32Rows, 1>);
using AddInPlace = decltype(&add_in_place<F32Rows, 1>);
struct InPlace {
  ScoreInPlace score[kDotTokens];
  AddInPlace add[kDotTokens];
};
template <class Rows, int... kCounts>
constexpr InPlace make_in_place() {
  return {{score_in_place<Rows, kCounts>...}, {add_in_place<Rows, kCounts>...}};
}
template <class Rows>
constexpr InPlace in_place_of() {
  if constexpr (kDotTokens == 6) return make_in_place<Rows, 1, 2, 3, 4, 5, 6>();
  if constexpr (kDotTokens == 3) return make_in_place<Rows, 1, 2, 3>();
}
template <class Rows>
constexpr InPlace kInPlace = in_place_of<Rows>();

// Null: rows of that kind are decoded first.
KVASIR_INLINE const InPlace* find_in_place(const AttendArgs& args) {
  if (args.leading_count > 0) return nullptr;
  if (args.format.dim % kLanes != 0 || args.format.dim > kDotCols || args.value_dim % kLanes != 0)
    return nullptr;
  switch (args.format.codec) {
    case CodecId::kF32:
      return &kInPlace<F32Rows>;
    case CodecId::kBf16:
      return &kInPlace<Bf16Rows>;
    case CodecId::kF16:
      return &kInPlace<F16Rows>;
    default:
      return nullptr;
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
