// Index scores of keys that are signs (codecs/sign_keys.cc). Included once per instruction set,
// between index_query-inl.h and index_score-inl.h.
//
// Four signs are one of 16 patterns. For each four dims and each pattern the sum of a head's query
// is there beforehand, a byte for each head, so that a key is 32 loads and sums for all heads of a
// vector instead of a multiplication for each number: measured twice as fast. A query is
// whole numbers from -7 to 7 by a scale for each head, as fine as the FP4 grid: then bytes hold the
// sums of four patterns.
//   query: for each 4 * kLanes heads [fours of dims][16 patterns][4 * kLanes] bytes, each the sum
//          plus 28; behind them [heads] float32, the scales. Heads are padded with zeros.
// A pattern has a bit set for each negative sign. Of a vector's bytes, number 4 * l + b belongs to
// head b * kLanes + l: so the sums of bytes b come out as lanes in order.
// The sums are exact, and the key's scale multiplies the score of all heads.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kSignHeads = 4 * kLanes;  // of a vector of bytes
constexpr float kSignQueryMax = 7;
constexpr int32_t kPatternOffset = 4 * 7;

struct SignLayout {
  int64_t fours;        // of dims
  int64_t block_bytes;  // of a vector of heads
  int64_t block_count;
  int64_t factors;  // where they begin
};

KVASIR_INLINE SignLayout sign_layout(const RowFormat& format, int64_t head_count) {
  SignLayout layout;
  layout.fours = (format.dim + 3) / 4;
  layout.block_bytes = layout.fours * kSignPatterns * kSignHeads;
  layout.block_count = (head_count + kSignHeads - 1) / kSignHeads;
  layout.factors = layout.block_count * layout.block_bytes;
  return layout;
}

// ---- the query

// Puts the whole numbers of a head at the patterns of one negative sign. Returns their scale.
KVASIR_INLINE float spread_query_head(const float* q, int64_t dim, int64_t place, uint8_t* block) {
  const float scale = largest_magnitude(q, dim) / kSignQueryMax;
  const Vec divisor = broadcast(scale == 0 ? 1 : scale);
  for_each_vec(dim, [=](int64_t begin, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec quotient = load(q + begin, mask) / divisor;
    int32_t numbers[kLanes];
    store_int(numbers,
              to_int(max(min(quotient, broadcast(kSignQueryMax)), broadcast(-kSignQueryMax))));
    for (int64_t i = begin; i < smaller(begin + kLanes, dim); ++i) {
      const int64_t pattern = int64_t{1} << (i % 4);
      block[(i / 4 * kSignPatterns + pattern) * kSignHeads + place] =
          static_cast<uint8_t>(numbers[i - begin] & 255);
    }
  });
  return scale;
}

// Four dims' numbers at the patterns of one negative sign -> the sums of all patterns.
KVASIR_INLINE void sum_patterns(uint8_t* patterns) {
  const auto at = [=](int64_t pattern) { return patterns + pattern * kSignHeads; };
  VecInt sum = broadcast_int(kPatternOffset * 0x01010101);
  VecInt twice[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const VecInt number = load_bytes(at(int64_t{1} << i));
    sum = add_int8(sum, number);
    twice[i] = add_int8(number, number);
  }
  store_vec_bytes(at(0), sum);
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int64_t sign = int64_t{1} << i;
    for (int64_t pattern = sign; pattern < 2 * sign; ++pattern)
      store_vec_bytes(at(pattern), sub_int8(load_bytes(at(pattern - sign)), twice[i]));
  }
}

void encode_sign_query(const RowFormat& format, const float* q, int64_t head_count,
                       uint8_t* query) {
  const SignLayout layout = sign_layout(format, head_count);
  auto* factors = reinterpret_cast<float*>(query + layout.factors);
  clear_bytes(query, layout.factors + 4 * layout.block_count * kSignHeads);
  for (int64_t h = 0; h < head_count; ++h) {
    const int64_t in_block = h % kSignHeads;
    const int64_t place = 4 * (in_block % kLanes) + in_block / kLanes;
    const float factor = spread_query_head(q + h * format.dim, format.dim, place,
                                           query + h / kSignHeads * layout.block_bytes);
    store(factors + h, broadcast(factor), first_lanes(1));
  }
  for (int64_t four = 0; four < layout.block_count * layout.fours; ++four)
    sum_patterns(query + four * kSignPatterns * kSignHeads);
}

// ---- the sums of a key

// Sums of bytes in halves: `all` of both bytes of a half, the upper one 256 times; `upper` of the
// upper one.
struct HalfSums {
  VecInt all;
  VecInt upper;

  KVASIR_INLINE void add(VecInt bytes) {
    all = add_int16(all, bytes);
    upper = add_int16(upper, shift_right_int16<8>(bytes));
  }
};

// The sums of four dims; the patterns begin with those of the first of the signs.
template <int kIndex>
KVASIR_INLINE VecInt load_pattern(const uint8_t* patterns, uint64_t signs) {
  constexpr uint64_t kMask = (kSignPatterns - 1) * kSignHeads;
  return load_bytes(patterns + kIndex * kSignPatterns * kSignHeads +
                    (signs * kSignHeads >> 4 * kIndex & kMask));
}

KVASIR_INLINE HalfSums sum_signs(const uint8_t* key, int64_t fours, const uint8_t* patterns) {
  constexpr int64_t kFourBytes = kSignPatterns * kSignHeads;
  HalfSums sums = {broadcast_int(0), broadcast_int(0)};
  const uint8_t* const end = patterns + fours * kFourBytes;
  for (; patterns + 4 * kFourBytes <= end; patterns += 4 * kFourBytes, key += 2) {
    const uint64_t signs = load_value<uint16_t>(key);
    const VecInt first =
        add_int8(load_pattern<0>(patterns, signs), load_pattern<1>(patterns, signs));
    const VecInt second =
        add_int8(load_pattern<2>(patterns, signs), load_pattern<3>(patterns, signs));
    sums.add(add_int8(first, second));
  }
  for (; patterns + 2 * kFourBytes <= end; patterns += 2 * kFourBytes, ++key) {
    sums.add(load_pattern<0>(patterns, *key));
    sums.add(load_pattern<1>(patterns, *key));
  }
  if (patterns < end) sums.add(load_pattern<0>(patterns, *key));
  return sums;
}

// The products of a key and the heads of a block, but for scales. Exact.
KVASIR_INLINE void sign_products(const HalfSums& sums, int64_t fours, Vec (&products)[4]) {
  const VecInt lower = sub_int16(sums.all, shift_left_int16<8>(sums.upper));
  const VecInt half = broadcast_int(0xffff);
  const VecInt offset = broadcast_int(kPatternOffset * static_cast<int32_t>(fours));
  products[0] = to_float(sub_int(and_bits(lower, half), offset));
  products[1] = to_float(sub_int(and_bits(sums.upper, half), offset));
  products[2] = to_float(sub_int(shift_right<16>(lower), offset));
  products[3] = to_float(sub_int(shift_right<16>(sums.upper), offset));
}

KVASIR_INLINE void add_sign_heads(const IndexScoreArgs& args, const SignLayout& layout,
                                  int64_t block_index, const uint8_t* const* keys, Vec* totals) {
  const auto* query = reinterpret_cast<const uint8_t*>(args.query);
  const auto* factors = reinterpret_cast<const float*>(query + layout.factors);
  Vec weights[4];
  for (int64_t v = 0; v < 4; ++v) {
    const int64_t head = block_index * kSignHeads + v * kLanes;
    const int64_t left = args.head_count - head;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    weights[v] = load(factors + head) * load(args.head_weights + (left > 0 ? head : 0), mask);
  }
  for (int64_t j = 0; j < kBlockKeys; ++j) {
    Vec products[4];
    sign_products(sum_signs(keys[j], layout.fours, query + block_index * layout.block_bytes),
                  layout.fours, products);
    KVASIR_UNROLL
    for (int64_t v = 0; v < 4; ++v)
      totals[j] = fma(max(products[v], zero()), weights[v], totals[j]);
  }
}

FourFloats score_signs(const IndexScoreArgs& args, const uint8_t* const* keys) {
  const SignLayout layout = sign_layout(args.format, args.head_count);
  Vec totals[kBlockKeys] = {zero(), zero(), zero(), zero()};
  for (int64_t block = 0; block < layout.block_count; ++block)
    add_sign_heads(args, layout, block, keys, totals);
  const int64_t code_bytes = (args.format.dim + 7) / 8;
  float scales[kBlockKeys];
  for (int64_t j = 0; j < kBlockKeys; ++j) scales[j] = f16_at(keys[j] + code_bytes);
  return reduce_add_4(totals[0], totals[1], totals[2], totals[3]) * load_four(scales);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
