// attend computes attention over encoded rows. Included once per instruction set.
//
// It goes through the rows in tiles of kAttendTileRows, in list order. For each tile it scores the
// queries that see any of the rows, then adds the weighted values. Many queries share rows that are
// decoded once; few read them in place. The softmax is kept online: at each tile a query's sums are
// rescaled to its new maximum. The running maximum and sum begin as the sink.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

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
  if (seen.begin <= 0 && seen.end == kAttendTileRows) {
    KVASIR_UNROLL
    for (int64_t i = 0; i < kTileVecs; ++i)
      values[i] = load(scores + i * kLanes) * broadcast(scale);
    return;
  }
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

// Scales a query's scores of the tile. Returns the highest.
KVASIR_INLINE float scale_scores(const AttendArgs& args, const AttendTile& tile, float scale,
                                 const AttendScratch& s, int64_t h) {
  float* scores = s.scores + h * kAttendTileRows;
  Vec values[kTileVecs];
  load_scores(scores, scale,
              seen_of_tile(args, tile.first_query + h, tile.row_begin, tile.row_count), values);
  Vec highest = values[0];
  store(scores, values[0]);
  KVASIR_UNROLL
  for (int64_t i = 1; i < kTileVecs; ++i) {
    highest = max(highest, values[i]);
    store(scores + i * kLanes, values[i]);
  }
  return reduce_max(highest);
}

// Scores become weights relative to the query's maximum, which this tile's have moved up already.
KVASIR_INLINE void weigh_scores(const AttendScratch& s, int64_t h) {
  float* scores = s.scores + h * kAttendTileRows;
  float* sums = s.sums + h * kLanesMax;
  const Vec maximum = broadcast(s.maxima[h]);
  Vec sum = load(sums) * broadcast(s.rescaling[h]);
  KVASIR_UNROLL
  for (int64_t i = 0; i < kTileVecs; ++i) {
    const Vec weights = exp(load(scores + i * kLanes) - maximum);
    store(scores + i * kLanes, weights);
    sum = sum + weights;
  }
  store(sums, sum);
}

// Weighs the scores of all queries, kLanes of them at a time. Step after step, as the steps of one
// query wait for each other and those of several do not.
KVASIR_INLINE void weigh_tile(const AttendArgs& args, const AttendTile& tile,
                              const AttendScratch& s) {
  const float scale = cap_scores(args, tile, s);
  for (int64_t begin = tile.begin; begin < tile.end; begin += kLanes) {
    const int64_t end = smaller(begin + kLanes, tile.end);
    float highest[kLanes];
    for (int64_t h = begin; h < end; ++h)
      highest[h - begin] = scale_scores(args, tile, scale, s, h);
    const Mask mask = first_lanes(end - begin);
    const Vec old_maxima = load(s.maxima + begin, mask);
    const Vec maxima = max(load(highest, mask), old_maxima);
    store(s.maxima + begin, maxima, mask);
    store(s.rescaling + begin, exp(old_maxima - maxima), mask);
    for (int64_t h = begin; h < end; ++h) weigh_scores(s, h);
  }
}

// The queries of one vector, as if they were all.
KVASIR_INLINE AttendArgs of_vector(const AttendArgs& args, int64_t vector) {
  const int64_t first = vector * args.queries_per_vector;
  AttendArgs result = args;
  result.q += first * args.format.dim;
  result.out += first * args.value_dim;
  if (args.sinks != nullptr) result.sinks += first;
  if (args.sums != nullptr) {
    result.maxima += first;
    result.sums += first;
  }
  return result;
}

KVASIR_INLINE AttendScratch from_place(const AttendScratch& s, int64_t place) {
  AttendScratch result = s;
  result.scores += place * kAttendTileRows;
  result.sums += place * kLanesMax;
  result.maxima += place;
  result.rescaling += place;
  return result;
}

// Calls body(vector, args, scratch) with what belongs to the queries of each vector.
template <class Body>
KVASIR_INLINE void for_each_vector(const AttendArgs& args, const AttendScratch& s,
                                   const Body& body) {
  for (int64_t vector = 0; vector < args.vector_count; ++vector)
    body(vector, of_vector(args, vector), from_place(s, vector * s.query_count));
}

void attend_decoded(const AttendArgs& args, const AttendScratch& s, const AttendTile& tile) {
  for_each_vector(args, s, [&](int64_t vector, const AttendArgs& own, const AttendScratch& places) {
    score_decoded(own, places, tile, vector);
    weigh_tile(own, tile, places);
    add_decoded(own, places, tile, vector);
  });
}

// The rows of the next tile are on their way meanwhile. Vectors take each step one after another:
// what weighs one's scores does not wait for the other's.
void attend_in_place(const AttendArgs& args, const AttendScratch& s, const AttendTile& tile,
                     const InPlace& in_place) {
  const std::byte* key_places[kAttendTileRows];
  const TileRows keys = fill_tile(keys_of_tile(args, tile), key_places);
  const TileRows values = values_of_tile(args, tile);
  if (tile.row_begin == 0) {
    fetch_first_tile(keys);
    if (args.values != nullptr) fetch_first_tile(values);
  }
  const int64_t parts = (tile.end - tile.begin + kDotTokens - 1) / kDotTokens;
  TileFetch key_fetch(keys, args.vector_count * parts);
  TileFetch value_fetch(values, args.vector_count * parts);
  const auto for_each_part = [&](auto body) KVASIR_LAMBDA_INLINE {
    for (int64_t h = tile.begin; h < tile.end; h += kDotTokens)
      body(h, smaller(kDotTokens, tile.end - h) - 1);
  };
  for_each_vector(args, s, [&](int64_t vector, const AttendArgs& own, const AttendScratch& places) {
    for_each_part([&](int64_t h, int64_t index) KVASIR_LAMBDA_INLINE {
      in_place.score[index](keys, vector, own.q + (tile.first_query + h) * args.format.dim,
                            args.format.dim, key_fetch, places.scores + h * kAttendTileRows);
    });
  });
  for_each_vector(args, s, [&](int64_t, const AttendArgs& own, const AttendScratch& places) {
    weigh_tile(own, tile, places);
  });
  for_each_vector(args, s, [&](int64_t vector, const AttendArgs& own, const AttendScratch& places) {
    for_each_part([&](int64_t h, int64_t index) KVASIR_LAMBDA_INLINE {
      in_place.add[index](values, vector, places, h, value_fetch,
                          own.out + (tile.first_query + h) * args.value_dim, args.value_dim);
    });
  });
}

// Queries that are worth reading rows anew for each kDotTokens of them.
constexpr int64_t kInPlaceQueries = 2 * kDotTokens;

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

// out [value_dim] *= factor
KVASIR_INLINE void scale_row(float* out, int64_t value_dim, float factor) {
  for_each_vec(value_dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(out + i, load(out + i, mask) * broadcast(factor), mask);
  });
}

void end_queries(const AttendArgs& args, const AttendScratch& s, int64_t query_begin,
                 int64_t query_count) {
  for (int64_t h = 0; h < query_count; ++h) {
    const float sum = reduce_add(load(s.sums + h * kLanesMax));
    if (args.sums != nullptr) {
      args.maxima[query_begin + h] = s.maxima[h];
      args.sums[query_begin + h] = sum;
    } else {
      scale_row(args.out + (query_begin + h) * args.value_dim, args.value_dim, 1.0f / sum);
    }
  }
}

void attend(const AttendArgs& args, int64_t query_begin, int64_t query_end) {
  const int64_t query_count = query_end - query_begin;
  const AttendScratch s = cut_scratch(args, query_count);
  clear_padding(s.keys, s.key_stride, args.format.dim);
  if (args.values != nullptr) clear_padding(s.values, s.value_stride, args.value_dim);
  for_each_vector(args, s, [&](int64_t, const AttendArgs& own, const AttendScratch& places) {
    begin_queries(own, places, query_begin, query_count);
  });
  const InPlace* in_place = find_in_place(args);
  AttendTile tile = {.first_query = query_begin};
  for (int64_t row = 0; row < args.row_count; row += kAttendTileRows) {
    tile.row_begin = row;
    tile.row_count = smaller(kAttendTileRows, args.row_count - row);
    choose_queries(args, row + tile.row_count, query_count, tile);
    if (tile.begin == tile.end) continue;
    if (in_place != nullptr && tile.end - tile.begin <= kInPlaceQueries) {
      attend_in_place(args, s, tile, *in_place);
    } else {
      attend_decoded(args, s, tile);
    }
  }
  for_each_vector(args, s, [&](int64_t, const AttendArgs& own, const AttendScratch& places) {
    end_queries(own, places, query_begin, query_count);
  });
}

// Up to kLanes queries at once: what their outputs so far and those of `later` are multiplied by.
KVASIR_INLINE void join_sums(const AttendedPart& later, int64_t first, int64_t query_count,
                             const AttendedPart& whole, float* of_whole, float* of_later) {
  const Mask mask = first_lanes(query_count);
  const Vec whole_max = load(whole.maxima + first, mask);
  const Vec later_max = load(later.maxima + first, mask);
  const Vec maximum = max(whole_max, later_max);
  const Vec whole_factor = exp(whole_max - maximum);
  const Vec later_factor = exp(later_max - maximum);
  const Vec kept = load(whole.sums + first, mask) * whole_factor;
  store(whole.maxima + first, maximum, mask);
  store(whole.sums + first, kept + load(later.sums + first, mask) * later_factor, mask);
  store(of_whole, whole_factor);
  store(of_later, later_factor);
}

void join_attended(const AttendedPart& later, int64_t query_count, int64_t value_dim,
                   const AttendedPart& whole) {
  float of_whole[kLanes];
  float of_later[kLanes];
  for (int64_t h = 0; h < query_count; ++h) {
    const int64_t place = h % kLanes;
    if (place == 0)
      join_sums(later, h, smaller(kLanes, query_count - h), whole, of_whole, of_later);
    float* out = whole.out + h * value_dim;
    const float* add = later.out + h * value_dim;
    const Vec kept = broadcast(of_whole[place]);
    const Vec added = broadcast(of_later[place]);
    for_each_vec(value_dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
      store(out + i, fma(load(add + i, mask), added, load(out + i, mask) * kept), mask);
    });
  }
}

void finish_attended(const AttendedPart& whole, int64_t query_count, int64_t value_dim) {
  for (int64_t h = 0; h < query_count; ++h)
    scale_row(whole.out + h * value_dim, value_dim, 1.0f / whole.sums[h]);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
