// attend_coded: attention over a block of KVarN tiles of four bits, multiplied as they lie.
// Included once per instruction set.
//
// A score is factor_t (sum_c (q_c scale_c) code_tc + sum_c q_c min_c), so a query times the scales
// of the channels becomes integers of 16 bits once a block, and the sum over channels is one of
// integers. An output is factor_c (sum_t (w_t scale_t) code_tc + sum_t w_t min_t) likewise, over
// tokens. The codes of a tile are read once for kCodedQueries queries.

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

// Codes [lanes, depth]. What integers make of a lane is (sum of products * step + offset) * factor.
struct CodeTile {
  const uint8_t* codes;
  int64_t lanes;
  int64_t depth;
  const uint8_t* factors;  // half floats, one for each lane

  KVASIR_INLINE const uint8_t* at(int64_t lane) const {
    constexpr int64_t kLaneBytes = 4;
    const int64_t in_tile = lane % kTileCodeLanes;
    return codes + (lane - in_tile) * depth / 2 + in_tile * kLaneBytes;
  }
};

// Two places in each half of a quad: those whose codes are kPart nibbles from the lowest ones.
template <int kPart>
KVASIR_INLINE VecInt code_pairs(VecInt quads) {
  return and_bits(shift_right<4 * kPart>(quads), broadcast_int(0x000f000f));
}

template <int kPart, int kQueries, int kVecs>
KVASIR_INLINE void add_code_pairs(const VecInt (&quads)[kVecs], const uint8_t* halves,
                                  int64_t stride, VecInt (&sums)[kQueries][kVecs]) {
  VecInt pairs[kVecs];
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) pairs[v] = code_pairs<kPart>(quads[v]);
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    const VecInt integers = load_quad(halves + 2 * q * stride + 4 * kPart);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) add_half_products(sums[q][v], pairs[v], integers);
  }
}

// kVecs vectors of lanes.
template <int kQueries, int kVecs>
KVASIR_INLINE void dot_code_lanes(const CodeTile& tile, int64_t lane,
                                  const TileIntegers<kQueries>& integers, const float* offsets,
                                  LinesAhead& ahead, float* out, int64_t stride) {
  VecInt sums[kQueries][kVecs];
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[q][v] = broadcast_int(0);
  }
  const uint8_t* codes = tile.at(lane);
  const int64_t distance = tile.at(lane + kLanes) - codes;
  const uint8_t* halves = integers.halves;
  for (int64_t k = 0; k < tile.depth; k += kTileCodeDepth) {
    VecInt quads[kVecs];
    ahead.fetch(kVecs);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) quads[v] = load_bytes(codes + v * distance);
    add_code_pairs<0>(quads, halves, integers.stride, sums);
    add_code_pairs<1>(quads, halves, integers.stride, sums);
    add_code_pairs<2>(quads, halves, integers.stride, sums);
    add_code_pairs<3>(quads, halves, integers.stride, sums);
    codes += 4 * kTileCodeLanes;
    halves += 2 * kTileCodeDepth;
  }
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int64_t first = lane + v * kLanes;
    const Vec factor = load_f16(tile.factors + 2 * first);
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec sum = fma(to_float(sums[q][v]), broadcast(integers.step[q]), broadcast(offsets[q]));
      store(out + q * stride + first, sum * factor);
    }
  }
}

// out [kQueries, stride]
template <int kQueries>
KVASIR_INLINE void dot_code_tile(const CodeTile& tile, const TileIntegers<kQueries>& integers,
                                 const float* offsets, LinesAhead& ahead, float* out,
                                 int64_t stride) {
  int64_t lane = 0;
  for (; lane + kCodeVecs * kLanes <= tile.lanes; lane += kCodeVecs * kLanes)
    dot_code_lanes<kQueries, kCodeVecs>(tile, lane, integers, offsets, ahead, out, stride);
  for (; lane < tile.lanes; lane += kLanes)
    dot_code_lanes<kQueries, 1>(tile, lane, integers, offsets, ahead, out, stride);
}

// A block's keys and values: codes, and the half floats behind them.
struct CodedBlock {
  CodeTile keys;
  CodeTile values;
  const uint8_t* key_scale;    // [width of keys]
  const uint8_t* key_min;      // [width of keys]
  const uint8_t* value_scale;  // [kCodedRows]
  const uint8_t* value_min;    // [kCodedRows]
};

KVASIR_INLINE CodedBlock open_block(const AttendCodedArgs& args) {
  const int64_t key_width = args.keys.shape.width;
  const int64_t value_width = args.values.shape.width;
  const auto* keys = reinterpret_cast<const uint8_t*>(args.key_codes);
  const auto* values = reinterpret_cast<const uint8_t*>(args.value_codes);
  const uint8_t* key_halves = keys + kCodedRows * key_width / 2;
  const uint8_t* value_halves = values + kCodedRows * value_width / 2;
  return {.keys = {.codes = keys,
                   .lanes = kCodedRows,
                   .depth = key_width,
                   .factors = key_halves + 4 * key_width},
          .values = {.codes = values,
                     .lanes = value_width,
                     .depth = kCodedRows,
                     .factors = value_halves + 4 * kCodedRows},
          .key_scale = key_halves,
          .key_min = key_halves + 2 * key_width,
          .value_scale = value_halves,
          .value_min = value_halves + 2 * kCodedRows};
}

// What of the next block is fetched when.
struct BlockAhead {
  LinesAhead key_codes;
  LinesAhead key_halves;
  LinesAhead value_codes;
  LinesAhead value_halves;

  explicit BlockAhead(const AttendCodedArgs& args)
      : BlockAhead(args.key_codes_ahead, args.keys.shape.width, args.value_codes_ahead,
                   args.values.shape.width) {}

 private:
  BlockAhead(const std::byte* keys, int64_t key_width, const std::byte* values, int64_t value_width)
      : key_codes(keys, kCodedRows * key_width / 2),
        key_halves(key_codes.end, keys == nullptr ? 0 : 4 * key_width + 2 * kCodedRows),
        value_codes(values, kCodedRows * value_width / 2),
        value_halves(value_codes.end, values == nullptr ? 0 : 4 * kCodedRows + 2 * value_width) {}
};

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

// A CodedPart computes kQueries queries of a call, one step after the other.
template <int kQueries>
struct CodedPart {
  const AttendCodedArgs& args;
  const CodedBlock& block;
  BlockAhead& ahead;
  int64_t first;  // query of the call
  float* values;  // [kQueries, integers.stride], what becomes integers next
  TileIntegers<kQueries> integers;
  float offsets[kCodedQueries];

  // Queries times scales of channels -> integers; times minima -> offsets.
  KVASIR_INLINE void take_queries() {
    const int64_t width = block.keys.depth;
    Vec largest[kQueries];
    Vec sums[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) largest[q] = sums[q] = zero();
    for (int64_t c = 0; c < width; c += kLanes) {
      const Vec scale = load_f16(block.key_scale + 2 * c);
      const Vec minimum = load_f16(block.key_min + 2 * c);
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        const Vec query = load(args.q + (first + q) * width + c);
        const Vec scaled = query * scale;
        store(values + q * integers.stride + c, scaled);
        largest[q] = max(largest[q], abs(scaled));
        sums[q] = fma(query, minimum, sums[q]);
      }
    }
    float tops[kCodedQueries];
    reduce_max_each(largest, tops);
    reduce_add_each(sums, offsets);
    round_to_integers(values, width, tops, integers);
  }

  // -> values: scores as powers of two.
  KVASIR_INLINE void score() {
    const float scale = args.soft_cap == 0 ? args.scale * kLog2E : args.scale / args.soft_cap;
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      integers.step[q] *= scale;
      offsets[q] *= scale;
    }
    dot_code_tile(block.keys, integers, offsets, ahead.key_codes, values, integers.stride);
    if (args.soft_cap == 0) return;
    for (int q = 0; q < kQueries; ++q) {
      float* const scores = values + q * integers.stride;
      for (int64_t t = 0; t < kCodedRows; t += kLanes)
        store(scores + t, broadcast(args.soft_cap * kLog2E) * tanh(load(scores + t)));
    }
  }

  // Scores -> weights relative to the largest, these times the values' scales -> integers; times
  // minima -> offsets.
  KVASIR_INLINE void weigh() {
    float maxima[kCodedQueries];
    find_maxima(maxima);
    Vec sums[kQueries];
    Vec minima[kQueries];
    Vec largest[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) sums[q] = minima[q] = largest[q] = zero();
    for (int64_t t = 0; t < kCodedRows; t += kLanes) {
      ahead.key_halves.fetch(2);
      ahead.value_halves.fetch(2);
      const Vec scale = load_f16(block.value_scale + 2 * t);
      const Vec minimum = load_f16(block.value_min + 2 * t);
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        float* const place = values + q * integers.stride + t;
        const Vec weight = exp2_below_zero(load(place) - broadcast(maxima[q]));
        const Vec scaled = weight * scale;
        sums[q] = sums[q] + weight;
        minima[q] = fma(weight, minimum, minima[q]);
        largest[q] = max(largest[q], scaled);
        store(place, scaled);
      }
    }
    float totals[kCodedQueries];
    float tops[kCodedQueries];
    reduce_max_each(largest, tops);
    reduce_add_each(sums, totals);
    reduce_add_each(minima, offsets);
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      args.maxima[first + q] = maxima[q] * kLn2;
      args.sums[first + q] = totals[q];
    }
    round_to_integers(values, kCodedRows, tops, integers);
  }

  KVASIR_INLINE void find_maxima(float (&maxima)[kCodedQueries]) const {
    Vec largest[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) largest[q] = broadcast(-__builtin_inff());
    for (int64_t t = 0; t < kCodedRows; t += kLanes) {
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q)
        largest[q] = max(largest[q], load(values + q * integers.stride + t));
    }
    reduce_max_each(largest, maxima);
  }

  KVASIR_INLINE void add_values() {
    const int64_t width = block.values.lanes;
    dot_code_tile(block.values, integers, offsets, ahead.value_codes, args.out + first * width,
                  width);
  }
};

template <int kQueries>
void attend_queries(const AttendCodedArgs& args, const CodedBlock& block, BlockAhead& ahead,
                    int64_t first) {
  const int64_t width = block.keys.depth;
  const int64_t stride = width < kCodedRows ? kCodedRows : width;
  auto* halves = reinterpret_cast<uint8_t*>(args.scratch + kCodedQueries * stride);
  CodedPart<kQueries> part = {.args = args,
                              .block = block,
                              .ahead = ahead,
                              .first = first,
                              .values = args.scratch,
                              .integers = {.halves = halves, .stride = stride}};
  part.take_queries();
  part.score();
  part.weigh();
  part.add_values();
}

using AttendQueries = decltype(&attend_queries<1>);
constexpr AttendQueries kAttendQueries[kCodedQueries] = {attend_queries<1>, attend_queries<2>,
                                                         attend_queries<3>, attend_queries<4>};

void attend_coded(const AttendCodedArgs& args) {
  const CodedBlock block = open_block(args);
  BlockAhead ahead(args);
  for (int64_t q = 0; q < args.query_count; q += kCodedQueries)
    kAttendQueries[smaller(kCodedQueries, args.query_count - q) - 1](args, block, ahead, q);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
