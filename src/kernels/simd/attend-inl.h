// attend computes attention over encoded rows. Included once per instruction set.
//
// It goes through the rows in tiles of kAttendTileRows, in list order. For each tile it decodes the
// rows, scores the queries that see any of them, then adds the weighted values. The softmax is kept
// online: at each tile a query's sums are rescaled to its new maximum. The running maximum and sum
// begin as the sink.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// AttendScratch cuts up the scratch of a call. Its arrays are indexed by the query's place in the
// call.
struct AttendScratch {
  float* keys;    // [kAttendTileRows, key_stride]
  float* values;  // [kAttendTileRows, value_stride]; the keys where these are values too
  int64_t key_stride;
  int64_t value_stride;
  float* scores;     // [queries, kAttendTileRows], then the weights
  float* sums;       // [queries, kLanesMax], the softmax denominator lane by lane
  float* maxima;     // [queries]
  float* rescaling;  // [queries], what the sums before this tile are multiplied by
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
  s.scores = rest;
  s.sums = s.scores + query_count * kAttendTileRows;
  s.maxima = s.sums + query_count * kLanesMax;
  s.rescaling = s.maxima + query_count;
  return s;
}

constexpr int64_t kTileVecs = kAttendTileRows / kLanes;

// The rows of a tile that a query sees.
KVASIR_INLINE RowRange seen_of_tile(const AttendArgs& args, int64_t query, int64_t row_begin,
                                    int64_t row_count) {
  if (args.seen == nullptr) return {0, row_count};
  const RowRange& seen = args.seen[query];
  return {seen.begin < row_begin ? 0 : seen.begin - row_begin,
          smaller(seen.end - row_begin, row_count)};
}

// One query's scores of the tile, scaled; minus infinity where it sees no row.
KVASIR_INLINE void load_scores(const float* scores, float scale, const RowRange& seen,
                               Vec (&values)[kTileVecs]) {
  const Vec unseen = broadcast(-__builtin_inff());
  KVASIR_UNROLL
  for (int64_t i = 0; i < kTileVecs; ++i) {
    const int64_t left = seen.end - i * kLanes;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    values[i] = select(load(scores + i * kLanes) * broadcast(scale), mask, unseen);
    const int64_t skipped = seen.begin - i * kLanes;
    if (skipped > 0) values[i] = select(unseen, first_lanes(smaller(skipped, kLanes)), values[i]);
  }
}

// A part of the queries of a call, and the rows of a tile.
struct AttendTile {
  int64_t row_begin;
  int64_t row_count;
  int64_t first_query;  // of the call: the place 0 of the scratch
  int64_t begin;        // places of the queries that see a row of the tile
  int64_t end;
};

// Scores are scaled when they are read; with a soft cap they are capped, and the scale is used up.
KVASIR_INLINE float cap_scores(const AttendArgs& args, const AttendTile& tile,
                               const AttendScratch& s) {
  if (args.soft_cap == 0) return args.scale;
  const Vec scale = broadcast(args.scale / args.soft_cap);
  const Vec cap = broadcast(args.soft_cap);
  for (int64_t i = tile.begin * kAttendTileRows; i < tile.end * kAttendTileRows; i += kLanes)
    store(s.scores + i, cap * tanh(load(s.scores + i) * scale));
  return 1;
}

// Moves every query's maximum up to this tile's and notes what that does to its sums.
KVASIR_INLINE void raise_maxima(const AttendArgs& args, const AttendTile& tile, float scale,
                                const AttendScratch& s) {
  for (int64_t h = tile.begin; h < tile.end; ++h) {
    Vec values[kTileVecs];
    load_scores(s.scores + h * kAttendTileRows, scale,
                seen_of_tile(args, tile.first_query + h, tile.row_begin, tile.row_count), values);
    Vec tile_max = values[0];
    for (int64_t i = 1; i < kTileVecs; ++i) tile_max = max(tile_max, values[i]);
    const float value = reduce_max(tile_max);
    s.rescaling[h] = value > s.maxima[h] ? value : s.maxima[h];
  }
  for_each_vec(tile.end - tile.begin, [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    float* rescaling = s.rescaling + tile.begin + i;
    float* maxima = s.maxima + tile.begin + i;
    const Vec new_max = load(rescaling, mask);
    store(rescaling, exp(load(maxima, mask) - new_max), mask);
    store(maxima, new_max, mask);
  });
}

// Turns the scores into weights relative to the maxima, zero of unseen rows, and sums them.
KVASIR_INLINE void weigh_scores(const AttendArgs& args, const AttendTile& tile, float scale,
                                const AttendScratch& s) {
  for (int64_t h = tile.begin; h < tile.end; ++h) {
    float* scores = s.scores + h * kAttendTileRows;
    float* sums = s.sums + h * kLanesMax;
    Vec values[kTileVecs];
    load_scores(scores, scale,
                seen_of_tile(args, tile.first_query + h, tile.row_begin, tile.row_count), values);
    Vec sum = load(sums) * broadcast(s.rescaling[h]);
    KVASIR_UNROLL
    for (int64_t i = 0; i < kTileVecs; ++i) {
      const Vec weight = exp(values[i] - broadcast(s.maxima[h]));
      store(scores + i * kLanes, weight);
      sum = sum + weight;
    }
    store(sums, sum);
  }
}

// out[h, column ..] of kHeads queries and kVecs vectors of columns: rescaled, then rows added in
// order. The mask is the last vector's.
template <int kHeads, int kVecs, class AnyMask>
void add_weighted_rows(const AttendScratch& s, int64_t row_count, int64_t head, int64_t column,
                       float* out, int64_t dim, AnyMask mask) {
  Vec sums[kHeads][kVecs];
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    const Vec rescaling = broadcast(s.rescaling[head + h]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* p = out + h * dim + column + v * kLanes;
      sums[h][v] = (v + 1 == kVecs ? load(p, mask) : load(p)) * rescaling;
    }
  }
  const float* weights = s.scores + head * kAttendTileRows;
  const float* row = s.values + column;
  for (int64_t j = 0; j < row_count; ++j, row += s.value_stride) {
    Vec weight[kHeads];
    KVASIR_UNROLL
    for (int h = 0; h < kHeads; ++h) weight[h] = broadcast(weights[h * kAttendTileRows + j]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const Vec values = load(row + v * kLanes);
      KVASIR_UNROLL
      for (int h = 0; h < kHeads; ++h) sums[h][v] = fma(weight[h], values, sums[h][v]);
    }
  }
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      float* p = out + h * dim + column + v * kLanes;
      v + 1 == kVecs ? store(p, sums[h][v], mask) : store(p, sums[h][v]);
    }
  }
}

constexpr int kValueHeads = kLanes == 16 ? 6 : 3;
constexpr int kValueVecs = 4;

template <int kVecs, class AnyMask>
KVASIR_INLINE void add_columns(const AttendArgs& args, const AttendTile& tile,
                               const AttendScratch& s, int64_t column, AnyMask mask) {
  const int64_t dim = args.value_dim;
  float* out = args.out + tile.first_query * dim;
  int64_t h = tile.begin;
  for (; h + kValueHeads <= tile.end; h += kValueHeads)
    add_weighted_rows<kValueHeads, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
  for (; h + 2 <= tile.end; h += 2)
    add_weighted_rows<2, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
  if (h < tile.end)
    add_weighted_rows<1, kVecs>(s, tile.row_count, h, column, out + h * dim, dim, mask);
}

// rows [row_count] of the tile that begins at row_begin -> target
KVASIR_INLINE void decode_tile(const RowFormat& format, const AttendTile& tile, int64_t list_end,
                               const std::byte* const* rows, float* target, int64_t stride) {
  const int64_t row_bytes = format.bytes();
  const DecodeRow decode = kDecoders[static_cast<int>(format.codec)];
  for (int64_t j = 0; j < tile.row_count; ++j) {
    const int64_t ahead = tile.row_begin + kAttendTileRows + j;
    if (ahead < list_end) fetch_ahead(rows[ahead], row_bytes);
    const auto* row = reinterpret_cast<const uint8_t*>(rows[tile.row_begin + j]);
    decode(format, row, target + j * stride);
  }
}

KVASIR_INLINE void attend_tile(const AttendArgs& args, const AttendScratch& s,
                               const AttendTile& tile) {
  const int64_t dim = args.format.dim;
  decode_tile(args.format, tile, args.row_count, args.rows, s.keys, s.key_stride);
  dot_rows(s.keys, s.key_stride, tile.row_count, args.q + (tile.first_query + tile.begin) * dim,
           dim, tile.end - tile.begin, dim, s.scores + tile.begin * kAttendTileRows,
           kAttendTileRows);
  const float scale = cap_scores(args, tile, s);
  raise_maxima(args, tile, scale, s);
  weigh_scores(args, tile, scale, s);
  if (args.values != nullptr) {
    const RowFormat format{.codec = args.format.codec, .dim = args.value_dim};
    decode_tile(format, tile, args.row_count, args.values, s.values, s.value_stride);
  }
  int64_t column = 0;
  for (; column + kValueVecs * kLanes <= args.value_dim; column += kValueVecs * kLanes)
    add_columns<kValueVecs>(args, tile, s, column, AllLanes());
  for (; column < args.value_dim; column += kLanes) {
    const Mask mask = first_lanes(smaller(kLanes, args.value_dim - column));
    add_columns<1>(args, tile, s, column, mask);
  }
}

// The last vectors of a padded row are read but never written by decoding.
KVASIR_INLINE void clear_padding(float* rows, int64_t stride, int64_t dim) {
  for (int64_t j = 0; j < kAttendTileRows; ++j) {
    float* padding = rows + j * stride + dim;
    for (int64_t i = dim; i < round_up(dim, kLanesMax); ++i) *padding++ = 0;
  }
}

// The running sums begin as the sink alone: maximum sinks[h], denominator exp(0) in lane 0.
KVASIR_INLINE void begin_queries(const AttendArgs& args, const AttendScratch& s,
                                 int64_t query_begin, int64_t query_count) {
  clear_padding(s.keys, s.key_stride, args.format.dim);
  if (args.values != nullptr) clear_padding(s.values, s.value_stride, args.value_dim);
  for (int64_t h = 0; h < query_count; ++h) {
    s.maxima[h] = args.sinks != nullptr ? args.sinks[query_begin + h] : -__builtin_inff();
    store(s.sums + h * kLanesMax, zero());
    s.sums[h * kLanesMax] = args.sinks != nullptr ? 1 : 0;
    float* out = args.out + (query_begin + h) * args.value_dim;
    for_each_vec(args.value_dim,
                 [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE { store(out + i, zero(), mask); });
  }
}

// Moves the range of queries on to those that see a row of [row_begin, row_end).
KVASIR_INLINE void choose_queries(const AttendArgs& args, int64_t row_end, int64_t query_count,
                                  AttendTile& tile) {
  if (args.seen == nullptr) {
    tile.end = query_count;
    return;
  }
  const RowRange* seen = args.seen + tile.first_query;
  while (tile.begin < query_count && seen[tile.begin].end <= tile.row_begin) ++tile.begin;
  tile.end = tile.end < tile.begin ? tile.begin : tile.end;
  while (tile.end < query_count && seen[tile.end].begin < row_end) ++tile.end;
}

void attend(const AttendArgs& args, int64_t query_begin, int64_t query_end) {
  const int64_t query_count = query_end - query_begin;
  const AttendScratch s = cut_scratch(args, query_count);
  begin_queries(args, s, query_begin, query_count);
  AttendTile tile = {.first_query = query_begin};
  for (int64_t row = 0; row < args.row_count; row += kAttendTileRows) {
    tile.row_begin = row;
    tile.row_count = smaller(kAttendTileRows, args.row_count - row);
    choose_queries(args, row + tile.row_count, query_count, tile);
    if (tile.begin < tile.end) attend_tile(args, s, tile);
  }
  for (int64_t h = 0; h < query_count; ++h) {
    const Vec factor = broadcast(1.0f / reduce_add(load(s.sums + h * kLanesMax)));
    float* out = args.out + (query_begin + h) * args.value_dim;
    for_each_vec(args.value_dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
      store(out + i, load(out + i, mask) * factor, mask);
    });
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
