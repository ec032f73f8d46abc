// What follows scores the rows of a tile and adds the weighted values, over rows that are decoded
// first and shared by many queries. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// AttendScratch cuts up the scratch of a call. Its arrays are indexed by the query's place in the
// call, among those of the same vector.
struct AttendScratch {
  float* keys;    // [kAttendTileRows, key_stride]
  float* values;  // [kAttendTileRows, value_stride]; the keys where these are values too
  float* across;  // [dim, kAttendTileRows], the keys with lanes that are rows
  int64_t key_stride;
  int64_t value_stride;
  float* scores;        // [queries, kAttendTileRows], then the weights
  float* sums;          // [queries, kLanesMax], the softmax denominator lane by lane
  float* maxima;        // [queries]
  float* rescaling;     // [queries], what the sums before this tile are multiplied by
  int64_t query_count;  // of each vector
};

KVASIR_INLINE AttendScratch cut_scratch(const AttendArgs& args, int64_t query_count) {
  AttendScratch s;
  s.key_stride = round_up(args.format.dim, kLanesMax) + kAttendRowPadding;
  s.keys = args.scratch;
  s.values = s.keys;
  s.value_stride = s.key_stride;
  float* rest = s.keys + kAttendTileRows * s.key_stride;
  if (args.values != nullptr) {
    s.value_stride = round_up(args.value_dim, kLanesMax) + kAttendRowPadding;
    s.values = rest;
    rest += kAttendTileRows * s.value_stride;
  }
  s.across = rest;
  rest += round_up(args.format.dim, kLanesMax) * kAttendTileRows;
  const int64_t places = args.vector_count * query_count;
  s.scores = rest;
  s.sums = s.scores + places * kAttendTileRows;
  s.maxima = s.sums + places * kLanesMax;
  s.rescaling = s.maxima + places;
  s.query_count = query_count;
  return s;
}

// A part of the queries of a call, and the rows of a tile.
struct AttendTile {
  int64_t row_begin;
  int64_t row_count;
  int64_t first_query;  // of the call: the place 0 of the scratch
  int64_t begin;        // places of the queries that see a row of the tile
  int64_t end;
};

// The vectors of a tile's rows that lie in a stream.
struct TileRows {
  const std::byte* const* rows;
  int64_t count;
  int64_t following;     // rows of the lists, from the tile's first on
  int64_t vector_count;  // of a row
  int64_t vector_bytes;

  KVASIR_INLINE const std::byte* at(int64_t j, int64_t vector) const {
    return rows[j] + vector * vector_bytes;
  }

  // Has the row of the next tile on its way that lies where this tile's row j does.
  KVASIR_INLINE void fetch_next_tile(int64_t j) const {
    const int64_t row = j + kAttendTileRows;
    if (row < following) fetch_ahead(rows[row], vector_count * vector_bytes);
  }
};

KVASIR_INLINE TileRows keys_of_tile(const AttendArgs& args, const AttendTile& tile) {
  return {.rows = args.rows + tile.row_begin,
          .count = tile.row_count,
          .following = args.row_count + args.ahead_count - tile.row_begin,
          .vector_count = args.vector_count,
          .vector_bytes = args.format.bytes()};
}

// Where keys are values, they were fetched as keys.
KVASIR_INLINE TileRows values_of_tile(const AttendArgs& args, const AttendTile& tile) {
  TileRows rows = keys_of_tile(args, tile);
  if (args.values == nullptr) {
    rows.following = tile.row_count;
    return rows;
  }
  const RowFormat format{.codec = args.format.codec, .dim = args.value_dim};
  rows.rows = args.values + tile.row_begin;
  rows.vector_bytes = format.bytes();
  return rows;
}

// out[h, column ..] of kHeads queries and kVecs vectors of columns: rescaled, then the rows of the
// tile added in order. load_value(j, i) gives kPartLanes of the columns of row j from the i-th on.
// The mask is the last vector's.
template <int kHeads, int kVecs, class LoadValue, class AnyMask>
KVASIR_INLINE void add_weighted_rows_of(const LoadValue& load_value, const AttendScratch& s,
                                        int64_t row_count, int64_t head, float* out, int64_t dim,
                                        AnyMask mask) {
  Vec sums[kHeads][kVecs];
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    const Vec rescaling = broadcast(s.rescaling[head + h]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* p = out + h * dim + v * kLanes;
      sums[h][v] = (v + 1 == kVecs ? load(p, mask) : load(p)) * rescaling;
    }
  }
  const float* weights = s.scores + head * kAttendTileRows;
  for (int64_t j = 0; j < row_count; ++j) {
    Part weight[kHeads];
    KVASIR_UNROLL
    for (int h = 0; h < kHeads; ++h) weight[h] = broadcast_part(weights[h * kAttendTileRows + j]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      KVASIR_UNROLL
      for (int part = 0; part < kParts; ++part) {
        const Part values = load_value(j, v * kLanes + part * kPartLanes);
        KVASIR_UNROLL
        for (int h = 0; h < kHeads; ++h) {
          Part& sum = part_of(sums[h][v], part);
          sum = fma(weight[h], values, sum);
        }
      }
    }
  }
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      float* p = out + h * dim + v * kLanes;
      v + 1 == kVecs ? store(p, sums[h][v], mask) : store(p, sums[h][v]);
    }
  }
}

// The same of decoded rows; out begins at `column`.
template <int kHeads, int kVecs, class AnyMask>
void add_weighted_rows(const AttendScratch& s, int64_t row_count, int64_t head, int64_t column,
                       float* out, int64_t dim, AnyMask mask) {
  const float* values = s.values + column;
  const int64_t stride = s.value_stride;
  const auto load_value = [=](int64_t j, int64_t i)
                              KVASIR_LAMBDA_INLINE { return load_part(values + j * stride + i); };
  add_weighted_rows_of<kHeads, kVecs>(load_value, s, row_count, head, out, dim, mask);
}

template <int kVecs, class AnyMask>
KVASIR_INLINE void add_columns(const AttendArgs& args, const AttendTile& tile,
                               const AttendScratch& s, int64_t column, AnyMask mask) {
  const int64_t dim = args.value_dim;
  float* out = args.out + tile.first_query * dim + column;
  int64_t h = tile.begin;
  for (; h + kValueHeads <= tile.end; h += kValueHeads)
    add_weighted_rows<kValueHeads, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
  for (; h + 2 <= tile.end; h += 2)
    add_weighted_rows<2, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
  if (h < tile.end)
    add_weighted_rows<1, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
}

// The same vector of all rows -> target
KVASIR_INLINE void decode_tile(const RowFormat& format, const TileRows& rows, int64_t vector,
                               float* target, int64_t stride) {
  const DecodeRow decode = kDecoders[static_cast<int>(format.codec)];
  for (int64_t j = 0; j < rows.count; ++j) {
    rows.fetch_next_tile(j);
    decode(format, reinterpret_cast<const uint8_t*>(rows.at(j, vector)), target + j * stride);
  }
}

// Keys of a tile that begins with rows of a format of their own. Out of line, as few tiles do.
__attribute__((noinline)) void decode_mixed_tile(const AttendArgs& args, const AttendScratch& s,
                                                 const AttendTile& tile, int64_t vector) {
  TileRows rows = keys_of_tile(args, tile);
  TileRows leading = rows;
  leading.count = smaller(rows.count, args.leading_count - tile.row_begin);
  leading.vector_bytes = args.leading_format.bytes();
  decode_tile(args.leading_format, leading, vector, s.keys, s.key_stride);
  rows.rows += leading.count;
  rows.count -= leading.count;
  rows.following -= leading.count;
  decode_tile(args.format, rows, vector, s.keys + leading.count * s.key_stride, s.key_stride);
}

// Keys up to this dim are scored with lanes that are rows. Wider ones gain less from sums that need
// no step across lanes than it costs to read a tile from the L2 cache for few queries at a time.
constexpr int64_t kAcrossDimMax = 128;

// The two halves of a tile's work for the queries of a vector, over rows that are decoded first.
void score_decoded(const AttendArgs& args, const AttendScratch& s, const AttendTile& tile,
                   int64_t vector) {
  const int64_t dim = args.format.dim;
  if (args.leading_count > tile.row_begin) {
    decode_mixed_tile(args, s, tile, vector);
  } else {
    decode_tile(args.format, keys_of_tile(args, tile), vector, s.keys, s.key_stride);
  }
  const float* q = args.q + (tile.first_query + tile.begin) * dim;
  float* scores = s.scores + tile.begin * kAttendTileRows;
  if (dim <= kAcrossDimMax) {
    turn_tile(s.keys, s.key_stride, dim, s.across);
    return dot_across({.across = s.across,
                       .cols = dim,
                       .x = q,
                       .x_stride = dim,
                       .y = scores,
                       .y_stride = kAttendTileRows},
                      tile.end - tile.begin);
  }
  dot_rows(s.keys, s.key_stride, tile.row_count, q, dim, tile.end - tile.begin, dim, scores,
           kAttendTileRows);
}

void add_decoded(const AttendArgs& args, const AttendScratch& s, const AttendTile& tile,
                 int64_t vector) {
  if (args.values != nullptr) {
    const RowFormat format{.codec = args.format.codec, .dim = args.value_dim};
    decode_tile(format, values_of_tile(args, tile), vector, s.values, s.value_stride);
  }
  int64_t column = 0;
  for (; column + kValueVecs * kLanes <= args.value_dim; column += kValueVecs * kLanes)
    add_columns<kValueVecs>(args, tile, s, column, AllLanes());
  for (; column < args.value_dim; column += kLanes) {
    const Mask mask = first_lanes(smaller(kLanes, args.value_dim - column));
    add_columns<1>(args, tile, s, column, mask);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
