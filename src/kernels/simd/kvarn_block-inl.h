// A block of KVarN tiles of four bits, multiplied as they lie. Included once per instruction set.
//
// A score is factor_t (sum_c (q_c scale_c) code_tc + sum_c q_c min_c), so a query times the scales
// of the channels becomes integers once a block, and the sum over channels is one of integers. An
// output is factor_c (sum_t (w_t scale_t) code_tc + sum_t w_t min_t) likewise, over tokens.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

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
  add_pairs(pairs, halves + 4 * kPart, stride, sums);
}

// kVecs vectors of lanes.
template <int kQueries, int kVecs>
KVASIR_INLINE void dot_code_lanes(const CodeTile& tile, int64_t lane,
                                  const TileIntegers<kQueries>& integers, const float* offsets,
                                  LinesAhead& ahead, float* out, int64_t stride) {
  VecInt sums[kQueries][kVecs];
  clear_sums(sums);
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

// A channel's scale and minimum among keys, or a token's among values.
struct AffineLanes {
  Vec scale;
  Vec minimum;

  KVASIR_INLINE AffineLanes(const uint8_t* scales, const uint8_t* minima, int64_t first)
      : scale(load_f16(scales + 2 * first)), minimum(load_f16(minima + 2 * first)) {}
  KVASIR_INLINE Vec scaled(Vec v) const { return v * scale; }
  KVASIR_INLINE Vec add_offset(Vec v, Vec sum) const { return fma(v, minimum, sum); }
};

// Codes, the half floats behind them, and what of the next block is fetched when.
struct KvarnBlock {
  int64_t key_width;
  int64_t value_width;
  const uint8_t* key_halves;    // scales, minima, factors of tokens
  const uint8_t* value_halves;  // scales, minima, factors of channels
  CodeTile keys;
  CodeTile values;
  LinesAhead key_codes_ahead;
  LinesAhead key_halves_ahead;
  LinesAhead value_codes_ahead;
  LinesAhead value_halves_ahead;

  explicit KvarnBlock(const AttendCodedArgs& args)
      : KvarnBlock(args, args.keys.shape.width, args.values.shape.width,
                   reinterpret_cast<const uint8_t*>(args.key_codes),
                   reinterpret_cast<const uint8_t*>(args.value_codes)) {}

  KVASIR_INLINE AffineLanes channels(int64_t first) const {
    return {key_halves, key_halves + 2 * key_width, first};
  }
  KVASIR_INLINE AffineLanes tokens(int64_t first) const {
    return {value_halves, value_halves + 2 * kCodedRows, first};
  }
  KVASIR_INLINE void fetch_ahead() {
    key_halves_ahead.fetch(2);
    value_halves_ahead.fetch(2);
  }
  template <int kQueries>
  KVASIR_INLINE void dot_keys(const TileIntegers<kQueries>& integers, const float* offsets,
                              float* out, int64_t stride) {
    dot_code_tile(keys, integers, offsets, key_codes_ahead, out, stride);
  }
  template <int kQueries>
  KVASIR_INLINE void sum_values(const TileIntegers<kQueries>& integers, const float* offsets,
                                float* out) {
    dot_code_tile(values, integers, offsets, value_codes_ahead, out, value_width);
  }

 private:
  KvarnBlock(const AttendCodedArgs& args, int64_t key_dim, int64_t value_dim,
             const uint8_t* key_bytes, const uint8_t* value_bytes)
      : key_width(key_dim),
        value_width(value_dim),
        key_halves(key_bytes + kCodedRows * key_dim / 2),
        value_halves(value_bytes + kCodedRows * value_dim / 2),
        keys({.codes = key_bytes,
              .lanes = kCodedRows,
              .depth = key_dim,
              .factors = key_halves + 4 * key_dim}),
        values({.codes = value_bytes,
                .lanes = value_dim,
                .depth = kCodedRows,
                .factors = value_halves + 4 * kCodedRows}),
        key_codes_ahead(args.key_codes_ahead, kCodedRows * key_dim / 2),
        key_halves_ahead(key_codes_ahead.end, 4 * key_dim + 2 * kCodedRows),
        value_codes_ahead(args.value_codes_ahead, kCodedRows * value_dim / 2),
        value_halves_ahead(value_codes_ahead.end, 4 * kCodedRows + 2 * value_dim) {}
};

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
