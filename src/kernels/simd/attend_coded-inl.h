// attend_coded: attention over a block of KVarN tiles of four bits, multiplied as they lie.
// Included once per instruction set.
//
// A score is factor_t (sum_c (q_c scale_c) code_tc + sum_c q_c min_c), so a query times the scales
// of the channels becomes integers once a block, and the sum over channels is one of integers. An
// output is factor_c (sum_t (w_t scale_t) code_tc + sum_t w_t min_t) likewise, over tokens. An
// integer of 16 bits is taken as 256 high + low, both signed bytes. The codes of a tile are read
// once for kCodedQueries queries.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// 127 * 256 + 127
constexpr float kLargestInteger = 32639;

// Values as integers: quads of high bytes, then of low ones, [depth] each.
struct SplitIntegers {
  uint8_t* high;
  uint8_t* low;
  float step;  // value = integer * step
};

// values [count] -> their integers. REQUIRES: count is a multiple of kLanes.
KVASIR_INLINE void split_integers(const float* values, int64_t count, SplitIntegers& out) {
  Vec largest = zero();
  for (int64_t i = 0; i < count; i += kLanes) largest = max(largest, abs(load(values + i)));
  const float top = reduce_max(largest);
  const Vec inverse = broadcast(top > 0 ? kLargestInteger / top : 0.0f);
  out.step = top / kLargestInteger;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec whole = round_to_even(load(values + i) * inverse);
    // Halves go up, so that the low byte is 127 at most.
    const Vec high = round_to_even(fma(whole, broadcast(0x1p-8f), broadcast(0x1p-10f)));
    store_signed_bytes(out.high + i, to_int(high));
    store_signed_bytes(out.low + i, to_int(whole - high * broadcast(256.0f)));
  }
}

// sums [kQueries, lanes] of 16 lanes' codes with the integers of kQueries queries.
// ahead: as many bytes as these lanes' codes, which are fetched meanwhile; null: none.
template <int kQueries>
KVASIR_INLINE void dot_code_lanes(const uint8_t* codes, int64_t depth,
                                  const SplitIntegers* integers, const std::byte* ahead,
                                  float* sums, int64_t stride) {
  KVASIR_UNROLL
  for (int64_t part = 0; part < kTileCodeLanes / kLanes; ++part) {
    VecInt high[kQueries];
    VecInt low[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) high[q] = low[q] = broadcast_int(0);
    const uint8_t* place = codes + part * 4 * kLanes;
    for (int64_t k = 0; k < depth; k += kTileCodeDepth, place += 4 * kTileCodeLanes) {
      if (part == 0 && ahead != nullptr) fetch_to_l2(ahead + (place - codes));
      const VecInt pairs = load_bytes(place);
      const VecInt nibbles = broadcast_int(0x0f0f0f0f);
      const VecInt first = and_bits(pairs, nibbles);
      const VecInt second = and_bits(shift_right<4>(pairs), nibbles);
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        add_nibble_products(high[q], first, load_quad(integers[q].high + k));
        add_nibble_products(low[q], first, load_quad(integers[q].low + k));
        add_nibble_products(high[q], second, load_quad(integers[q].high + k + 4));
        add_nibble_products(low[q], second, load_quad(integers[q].low + k + 4));
      }
    }
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec sum = fma(to_float(high[q]), broadcast(256.0f), to_float(low[q]));
      store(sums + q * stride + part * kLanes, sum * broadcast(integers[q].step));
    }
  }
}

template <int kQueries>
void dot_code_tile(const uint8_t* codes, int64_t lanes, int64_t depth,
                   const SplitIntegers* integers, const std::byte* ahead, float* sums,
                   int64_t stride) {
  for (int64_t lane = 0; lane < lanes; lane += kTileCodeLanes) {
    const int64_t offset = lane * depth / 2;
    dot_code_lanes<kQueries>(codes + offset, depth, integers,
                             ahead == nullptr ? nullptr : ahead + offset, sums + lane, stride);
  }
}

using DotCodeTile = decltype(&dot_code_tile<1>);
constexpr DotCodeTile kDotCodeTile[kCodedQueries] = {dot_code_tile<1>, dot_code_tile<2>,
                                                     dot_code_tile<3>, dot_code_tile<4>,
                                                     dot_code_tile<5>, dot_code_tile<6>};

// What a block says of itself, as floats.
struct CodedBlock {
  const uint8_t* key_codes;
  const uint8_t* value_codes;
  int64_t key_width;
  int64_t value_width;
  float* key_scale;     // [key_width]
  float* key_min;       // [key_width]
  float* key_factor;    // [kCodedRows]
  float* value_scale;   // [kCodedRows]
  float* value_min;     // [kCodedRows]
  float* value_factor;  // [value_width]
};

KVASIR_INLINE void widen_halves(const uint8_t* halves, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kLanes) store(out + i, load_f16(halves + 2 * i));
}

// Cuts up the scratch memory; `rest` is what is left of it.
KVASIR_INLINE CodedBlock open_block(const AttendCodedArgs& args, float*& rest) {
  CodedBlock block{.key_codes = reinterpret_cast<const uint8_t*>(args.key_codes),
                   .value_codes = reinterpret_cast<const uint8_t*>(args.value_codes),
                   .key_width = args.keys.shape.width,
                   .value_width = args.values.shape.width};
  const auto take = [&rest](int64_t count) KVASIR_LAMBDA_INLINE {
    float* const taken = rest;
    rest += count;
    return taken;
  };
  const uint8_t* halves = block.key_codes + kCodedRows * block.key_width / 2;
  const auto read = [&](int64_t count) KVASIR_LAMBDA_INLINE {
    float* const floats = take(count);
    widen_halves(halves, count, floats);
    halves += 2 * count;
    return floats;
  };
  block.key_scale = read(block.key_width);
  block.key_min = read(block.key_width);
  block.key_factor = read(kCodedRows);
  halves = block.value_codes + kCodedRows * block.value_width / 2;
  block.value_scale = read(kCodedRows);
  block.value_min = read(kCodedRows);
  block.value_factor = read(block.value_width);
  return block;
}

// scores <- softmax weights relative to their largest, and these times the values' scales ->
// scaled. Returns sum w_t min_t.
KVASIR_INLINE float weigh_block(const AttendCodedArgs& args, const CodedBlock& block, int64_t query,
                                float offset, float* scores, float* scaled) {
  const float scale = args.soft_cap == 0 ? args.scale : args.scale / args.soft_cap;
  Vec largest = broadcast(-__builtin_inff());
  for (int64_t t = 0; t < kCodedRows; t += kLanes) {
    Vec score = (load(scores + t) + broadcast(offset)) * load(block.key_factor + t);
    score = score * broadcast(scale);
    if (args.soft_cap != 0) score = broadcast(args.soft_cap) * tanh(score);
    store(scores + t, score);
    largest = max(largest, score);
  }
  const float maximum = reduce_max(largest);
  Vec sum = zero();
  Vec minima = zero();
  for (int64_t t = 0; t < kCodedRows; t += kLanes) {
    const Vec weight = exp(load(scores + t) - broadcast(maximum));
    sum = sum + weight;
    minima = fma(weight, load(block.value_min + t), minima);
    store(scaled + t, weight * load(block.value_scale + t));
  }
  args.maxima[query] = maximum;
  args.sums[query] = reduce_add(sum);
  return reduce_add(minima);
}

// The queries [first, first + count), count <= kCodedQueries.
KVASIR_INLINE void attend_queries(const AttendCodedArgs& args, const CodedBlock& block,
                                  int64_t first, int64_t count, float* floats, uint8_t* bytes) {
  const int64_t width = block.key_width;
  const int64_t depth_max = width < kCodedRows ? kCodedRows : width;
  float* scaled = floats;
  float* sums = scaled + depth_max;
  SplitIntegers integers[kCodedQueries];
  float offsets[kCodedQueries];
  for (int64_t q = 0; q < count; ++q) {
    integers[q] = {.high = bytes + 2 * q * depth_max, .low = bytes + (2 * q + 1) * depth_max};
    const float* query = args.q + (first + q) * width;
    for (int64_t c = 0; c < width; c += kLanes)
      store(scaled + c, load(query + c) * load(block.key_scale + c));
    split_integers(scaled, width, integers[q]);
    offsets[q] = dot(query, block.key_min, width);
  }
  const DotCodeTile dot_tile = kDotCodeTile[count - 1];
  const bool is_first = first == 0;
  dot_tile(block.key_codes, kCodedRows, width, integers, is_first ? args.value_codes : nullptr,
           sums, kCodedRows);
  for (int64_t q = 0; q < count; ++q) {
    offsets[q] = weigh_block(args, block, first + q, offsets[q], sums + q * kCodedRows, scaled);
    split_integers(scaled, kCodedRows, integers[q]);
  }
  float* out = args.out + first * block.value_width;
  dot_tile(block.value_codes, block.value_width, kCodedRows, integers,
           is_first ? args.key_codes_ahead : nullptr, out, block.value_width);
  for (int64_t q = 0; q < count; ++q, out += block.value_width) {
    for (int64_t c = 0; c < block.value_width; c += kLanes)
      store(out + c, (load(out + c) + broadcast(offsets[q])) * load(block.value_factor + c));
  }
}

// The half floats behind the codes of a vector; codes are fetched while others are multiplied.
KVASIR_INLINE void fetch_halves(const std::byte* codes, int64_t code_bytes, int64_t half_count) {
  for (int64_t at = 0; at < 2 * half_count; at += kCacheLineBytes)
    fetch_to_l2(codes + code_bytes + at);
}

void attend_coded(const AttendCodedArgs& args) {
  const int64_t key_width = args.keys.shape.width;
  const int64_t value_width = args.values.shape.width;
  if (args.key_codes_ahead != nullptr)
    fetch_halves(args.key_codes_ahead, kCodedRows * key_width / 2, 2 * key_width + kCodedRows);
  if (args.value_codes_ahead != nullptr)
    fetch_halves(args.value_codes_ahead, kCodedRows * value_width / 2,
                 2 * kCodedRows + value_width);
  float* rest = args.scratch;
  const CodedBlock block = open_block(args, rest);
  const int64_t depth_max = block.key_width < kCodedRows ? kCodedRows : block.key_width;
  auto* bytes = reinterpret_cast<uint8_t*>(rest);
  rest += 2 * kCodedQueries * depth_max / 4;
  for (int64_t q = 0; q < args.query_count; q += kCodedQueries)
    attend_queries(args, block, q, smaller(kCodedQueries, args.query_count - q), rest, bytes);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
