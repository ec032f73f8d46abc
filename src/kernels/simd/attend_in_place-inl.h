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

// A TileFetch has the rows of the next tile on their way while this one's are read: whole rows, in
// the order in which they lie, one now and then. Not into the L1 cache, whose few places for what
// is on its way are taken by what is read now. Measured: twice as fast.
class TileFetch {
 public:
  // The rows of this tile are read so many times.
  KVASIR_INLINE TileFetch(const TileRows& tile, int64_t passes) : tile_(tile), passes_(passes) {}

  // So many rows more are about to be read.
  KVASIR_INLINE void follow(int64_t row_count) {
    owed_ += row_count;
    for (; owed_ >= passes_; owed_ -= passes_) fetch_row(tile_, next_++);
  }

 private:
  const TileRows& tile_;
  int64_t passes_;
  int64_t next_ = kAttendTileRows;
  int64_t owed_ = 0;  // parts of a row, passes_ of them
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

// A tile with less than kAttendTileRows has its last row in their places, and its list in `places`.
KVASIR_INLINE TileRows fill_tile(TileRows tile, const std::byte* (&places)[kAttendTileRows]) {
  if (tile.count == kAttendTileRows) return tile;
  for (int64_t j = 0; j < kAttendTileRows; ++j) places[j] = tile.rows[smaller(j, tile.count - 1)];
  tile.rows = places;
  tile.following = tile.count;
  return tile;
}

// scores [kQueries, kAttendTileRows] of a filled tile, summed as dot_rows does.
template <class Rows, int kQueries>
void score_in_place(const TileRows& tile, int64_t vector, const float* q, int64_t dim,
                    TileFetch& fetch, float* scores) {
  const std::byte* const* rows = tile.rows;
  const int64_t offset = vector * tile.vector_bytes;
  for (int64_t row = 0; row < kAttendTileRows; row += kDotRows) {
    fetch.follow(kDotRows);
    const std::byte* four[kDotRows];
    KVASIR_UNROLL
    for (int64_t r = 0; r < kDotRows; ++r) four[r] = rows[row + r] + offset;
    dot_block_of<kQueries>([&](int r, int64_t k)
                               KVASIR_LAMBDA_INLINE { return Rows::at(four[r], k); },
                           kDotRows, q, dim, dim, true, scores + row, kAttendTileRows);
  }
}

// The sums of kQueries queries, from place `query` of the scratch on, over the rows of the tile.
template <class Rows, int kQueries>
void add_in_place(const TileRows& tile, int64_t vector, const AttendScratch& s, int64_t query,
                  TileFetch& fetch, float* out, int64_t dim) {
  const auto add = [&](int64_t column, auto vecs) KVASIR_LAMBDA_INLINE {
    constexpr int kVecs = decltype(vecs)::kCount;
    const auto load_value = [&](int64_t j, int64_t i) KVASIR_LAMBDA_INLINE {
      if (i == 0 && column == 0) fetch.follow(1);
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
