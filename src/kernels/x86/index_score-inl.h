// Index scores of one token over many keys. Included once per instruction set.
//
// Lanes are heads. Twice an FP4 value is a small integer, so in native precision each group of 32
// dims is an exact integer dot product, and only its two scales make it a float:
//   query: for each group [8 quads of dims][heads][4] signed bytes, [heads] offsets (int32),
//          [heads] factors (float32), heads padded with zeros to whole vectors;
//   key:   unpacked to unsigned bytes 16 + 2 * value; the offset is -16 times the query's sum.
// A quad holds four even or four odd dims, as the nibbles lie in the key's bytes. The other
// precisions keep the query as [dims][heads] float32.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kGroupDims = kIndexGroupSize;
constexpr int64_t kGroupQuads = kGroupDims / 4;
constexpr int32_t kKeyOffset = 16;

// The query's layout for so many heads, in bytes.
struct QueryLayout {
  int64_t heads;  // padded
  int64_t quad_bytes;
  int64_t offsets;  // from the group's start
  int64_t factors;
  int64_t group_bytes;
};

KVASIR_INLINE QueryLayout native_query_layout(int64_t head_count) {
  QueryLayout layout;
  layout.heads = round_up(head_count, kLanesMax);
  layout.quad_bytes = 4 * layout.heads;
  layout.offsets = kGroupQuads * layout.quad_bytes;
  layout.factors = layout.offsets + 4 * layout.heads;
  layout.group_bytes = layout.factors + 4 * layout.heads;
  return layout;
}

// The dim within its group that byte `place` of quad `quad` stands for.
KVASIR_INLINE int64_t dim_of_place(int64_t quad, int64_t place) {
  return 8 * (quad % 4) + 2 * place + quad / 4;
}

// ---- the query

KVASIR_INLINE void clear_bytes(uint8_t* target, int64_t size) {
  for (int64_t i = 0; i < size; ++i) target[i] = 0;
}

KVASIR_INLINE void store_word(uint8_t* target, int32_t value) {
  _mm_storeu_si32(target, _mm_cvtsi32_si128(value));
}

// Twice the FP4 grid value next to each lane, as kvasir::fp4_encode rounds.
KVASIR_INLINE VecInt round_to_doubled_fp4(Vec value) {
  const VecInt sign = and_bits(bits(value), broadcast_int(INT32_MIN));
  const Vec magnitude = min(abs(value), broadcast(6.0f));
  // Steps of 0.5 up to 2, of 1 up to 4, of 2 up to 6: each rounds to even in its own unit.
  const Vec fine = round_to_even(magnitude * broadcast(2.0f));
  const Vec middle = round_to_even(magnitude) * broadcast(2.0f);
  const Vec coarse = round_to_even(magnitude * broadcast(0.5f)) * broadcast(4.0f);
  const Vec upper = select_less(magnitude, broadcast(4.0f), middle, coarse);
  const Vec doubled = select_less(magnitude, broadcast(2.0f), fine, upper);
  return to_int(from_bits(or_bits(bits(doubled), sign)));
}

// One head's group of `size` dims.
void encode_query_group(const float* q, int64_t size, const QueryLayout& layout, int64_t head,
                        uint8_t* group) {
  const uint8_t scale = fp4_grid_scale(largest_magnitude(q, size));
  const Vec inverse = broadcast(kScaleTables.ue8m0[254 - scale]);
  int32_t doubled[kGroupDims] = {};
  for_each_vec(size, [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store_int(doubled + i, round_to_doubled_fp4(load(q + i, mask) * inverse));
  });
  int32_t sum = 0;
  for (int64_t quad = 0; quad < kGroupQuads; ++quad) {
    uint32_t word = 0;
    for (int64_t place = 0; place < 4; ++place) {
      const int32_t value = doubled[dim_of_place(quad, place)];
      sum += value;
      word |= static_cast<uint32_t>(value & 255) << (8 * place);
    }
    store_word(group + quad * layout.quad_bytes + 4 * head, static_cast<int32_t>(word));
  }
  store_word(group + layout.offsets + 4 * head, -kKeyOffset * sum);
  // Both integers are doubled, hence the quarter.
  const Vec factor = broadcast(0.25f * kScaleTables.ue8m0[scale]);
  store(reinterpret_cast<float*>(group + layout.factors + 4 * head), factor, first_lanes(1));
}

void encode_native_query(const KeyFormat& format, const float* q, int64_t head_count,
                         uint8_t* query) {
  const QueryLayout layout = native_query_layout(head_count);
  for (int64_t begin = 0; begin < format.dim; begin += kGroupDims) {
    uint8_t* group = query + begin / kGroupDims * layout.group_bytes;
    clear_bytes(group, layout.group_bytes);
    const int64_t size = smaller(kGroupDims, format.dim - begin);
    for (int64_t h = 0; h < head_count; ++h)
      encode_query_group(q + h * format.dim + begin, size, layout, h, group);
  }
}

void encode_index_query(const KeyFormat& format, const float* q, int64_t head_count,
                        std::byte* query) {
  auto* bytes = reinterpret_cast<uint8_t*>(query);
  if (format.precision == CachePrecision::kNative)
    return encode_native_query(format, q, head_count, bytes);
  const int64_t heads = round_up(head_count, kLanesMax);
  clear_bytes(bytes, 4 * heads * format.dim);
  for (int64_t h = 0; h < head_count; ++h) {
    for (int64_t i = 0; i < format.dim; ++i) {
      float* target = reinterpret_cast<float*>(bytes + 4 * (i * heads + h));
      store(target, broadcast(q[h * format.dim + i]), first_lanes(1));
    }
  }
}

// ---- one group of dims, kKeys keys by kVecs vectors of heads

// 16 code bytes -> 32 unsigned bytes, the even dims first.
KVASIR_INLINE void unpack_key_group(const uint8_t* codes, int64_t code_bytes, uint8_t* target) {
  const __m128i values =
      _mm_setr_epi8(16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4);
  const __m128i nibble = _mm_set1_epi8(15);
  __m128i pairs;
  if (code_bytes >= kGroupDims / 2) {
    pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  } else {
    uint8_t copy[kGroupDims / 2] = {};
    for (int64_t i = 0; i < code_bytes; ++i) copy[i] = codes[i];
    pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(copy));
  }
  const __m128i even = _mm_shuffle_epi8(values, _mm_and_si128(pairs, nibble));
  const __m128i odd = _mm_shuffle_epi8(values, _mm_and_si128(_mm_srli_epi16(pairs, 4), nibble));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target), even);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target + 16), odd);
}

KVASIR_INLINE uint32_t load_word(const uint8_t* p) {
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_loadu_si32(p)));
}

// What a pass over the groups knows.
struct ScorePass {
  const IndexScoreArgs* args;
  int64_t key_bytes;
  int64_t head;  // the first of this pass
};

template <int kKeys, int kVecs>
KVASIR_INLINE void add_native_group(const ScorePass& pass, const uint8_t* const* keys,
                                    int64_t group_index, Vec (&products)[kKeys][kVecs]) {
  const int64_t dim = pass.args->format.dim;
  const int64_t code_bytes = (dim + 1) / 2;
  const int64_t code_begin = group_index * kGroupDims / 2;
  const QueryLayout layout = native_query_layout(pass.args->head_count);
  const uint8_t* group = reinterpret_cast<const uint8_t*>(pass.args->query) +
                         group_index * layout.group_bytes + 4 * pass.head;
  uint8_t unpacked[kKeys][kGroupDims];
  ByteSum sums[kKeys][kVecs];
  KVASIR_UNROLL
  for (int j = 0; j < kKeys; ++j) {
    unpack_key_group(keys[j] + code_begin, code_bytes - code_begin, unpacked[j]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v)
      sums[j][v] = begin_byte_sum(group + layout.offsets + 4 * v * kLanes);
  }
  KVASIR_UNROLL
  for (int64_t quad = 0; quad < kGroupQuads; ++quad) {
    VecInt signed_bytes[kVecs];
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v)
      signed_bytes[v] = load_bytes(group + quad * layout.quad_bytes + 4 * v * kLanes);
    KVASIR_UNROLL
    for (int j = 0; j < kKeys; ++j) {
      const uint32_t word = load_word(unpacked[j] + 4 * quad);
      KVASIR_UNROLL
      for (int v = 0; v < kVecs; ++v)
        sums[j][v] = add_byte_products(sums[j][v], word, signed_bytes[v]);
    }
  }
  KVASIR_UNROLL
  for (int j = 0; j < kKeys; ++j) {
    const Vec key_scale = broadcast(kScaleTables.ue8m0[keys[j][code_bytes + group_index]]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const Vec sum = end_byte_sum(sums[j][v], group + layout.offsets + 4 * v * kLanes);
      const auto* factors = reinterpret_cast<const float*>(group + layout.factors + 4 * v * kLanes);
      products[j][v] = fma(sum, load(factors) * key_scale, products[j][v]);
    }
  }
}

KVASIR_INLINE void widen_key_group(const IndexScoreArgs& args, const uint8_t* key, int64_t begin,
                                   int64_t size, float* target) {
  if (args.format.precision == CachePrecision::kBf16)
    return decode_bf16_run(key + 2 * begin, size, target);
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(target + i, load(reinterpret_cast<const float*>(key + 4 * (begin + i)), mask), mask);
  });
}

template <int kKeys, int kVecs>
KVASIR_INLINE void add_float_group(const ScorePass& pass, const uint8_t* const* keys,
                                   int64_t group_index, Vec (&products)[kKeys][kVecs]) {
  const int64_t heads = round_up(pass.args->head_count, kLanesMax);
  const int64_t begin = group_index * kGroupDims;
  const int64_t size = smaller(kGroupDims, pass.args->format.dim - begin);
  float widened[kKeys][kGroupDims];
  for (int j = 0; j < kKeys; ++j) widen_key_group(*pass.args, keys[j], begin, size, widened[j]);
  for (int64_t i = 0; i < size; ++i) {
    const auto* query = reinterpret_cast<const float*>(
        reinterpret_cast<const uint8_t*>(pass.args->query) + 4 * ((begin + i) * heads + pass.head));
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const Vec q = load(query + v * kLanes);
      KVASIR_UNROLL
      for (int j = 0; j < kKeys; ++j)
        products[j][v] = fma(broadcast(widened[j][i]), q, products[j][v]);
    }
  }
}

// ---- all groups, then relu and the heads' weights

// Adds this pass's heads to the totals [keys in the block], lane by lane.
template <int kKeys, int kVecs>
void score_heads(const ScorePass& pass, const uint8_t* const* keys, Vec* totals) {
  const IndexScoreArgs& args = *pass.args;
  Vec products[kKeys][kVecs];
  KVASIR_UNROLL
  for (int j = 0; j < kKeys; ++j) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) products[j][v] = zero();
  }
  const int64_t group_count = (args.format.dim + kGroupDims - 1) / kGroupDims;
  for (int64_t group = 0; group < group_count; ++group) {
    if (args.format.precision == CachePrecision::kNative) {
      add_native_group<kKeys, kVecs>(pass, keys, group, products);
    } else {
      add_float_group<kKeys, kVecs>(pass, keys, group, products);
    }
  }
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int64_t head = pass.head + v * kLanes;
    const int64_t left = args.head_count - head;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    const Vec weights = load(args.head_weights + (left > 0 ? head : 0), mask);
    KVASIR_UNROLL
    for (int j = 0; j < kKeys; ++j)
      totals[j] = fma(max(products[j][v], zero()), weights, totals[j]);
  }
}

// Vectors of heads that one pass holds, and keys that share a load of the query.
constexpr int kPassVecs = kLanes == 16 ? 4 : 2;
constexpr int64_t kBlockKeys = 4;

template <int kVecs>
KVASIR_INLINE void score_block_heads(const ScorePass& pass, const uint8_t* const* keys,
                                     Vec* totals) {
  constexpr int64_t kKeys = kVecs == 1 ? kBlockKeys : 2;
  for (int64_t j = 0; j < kBlockKeys; j += kKeys)
    score_heads<kKeys, kVecs>(pass, keys + j, totals + j);
}

KVASIR_INLINE void score_block(const IndexScoreArgs& args, int64_t key_begin, int64_t key_count,
                               int64_t key_bytes) {
  const uint8_t* keys[kBlockKeys];
  for (int64_t j = 0; j < kBlockKeys; ++j) {
    // A short block scores its last key again rather than read beyond it.
    const int64_t index = key_begin + smaller(j, key_count - 1);
    keys[j] = reinterpret_cast<const uint8_t*>(args.keys) + index * key_bytes;
  }
  Vec totals[kBlockKeys] = {zero(), zero(), zero(), zero()};
  ScorePass pass = {&args, key_bytes, 0};
  const int64_t vecs = (args.head_count + kLanes - 1) / kLanes;
  int64_t v = 0;
  for (; v + kPassVecs <= vecs; v += kPassVecs) {
    pass.head = v * kLanes;
    score_block_heads<kPassVecs>(pass, keys, totals);
  }
  for (; v < vecs; ++v) {
    pass.head = v * kLanes;
    score_block_heads<1>(pass, keys, totals);
  }
  float sums[kBlockKeys];
  _mm_storeu_ps(sums, reduce_add_4(totals[0], totals[1], totals[2], totals[3]));
  for (int64_t j = 0; j < key_count; ++j) args.scores[key_begin + j] = sums[j];
}

void index_score(const IndexScoreArgs& args) {
  const int64_t key_bytes = args.format.bytes();
  for (int64_t key = 0; key < args.key_count; key += kBlockKeys)
    score_block(args, key, smaller(kBlockKeys, args.key_count - key), key_bytes);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
