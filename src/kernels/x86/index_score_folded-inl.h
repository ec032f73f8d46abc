// score_folded_block computes index scores with one integer sum per key and head. Included behind
// index_query-inl.h where any two bytes can be multiplied and added.
//
// The scales of a key's groups are powers of two that lie close together, as are those of a query
// head. Each group's FP4 values are shifted up by the distance of its scale to the smallest one (at
// most 3 places, then a byte still holds them). One scale per key and one per head are left: the
// whole dot product is an exact integer, and powers of two can be taken out of the sum over heads.
//
// The bits are those of the sum group by group, which rounds nowhere else either: every part of it
// is a multiple of the smallest scale, below 2^24 of it. Which way a key goes decides its speed
// alone.
//
// Dims go in chunks of 128, the even ones of all four groups first, as a key unpacks in whole
// registers. Keys are the unsigned side, four bytes at a time to all lanes. 128 is added to each of
// their bytes, and every head's sum begins by taking that away again.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int kFoldedShiftMax = 3;
constexpr int64_t kChunkGroups = 4;
constexpr int64_t kChunkDims = kChunkGroups * kGroupDims;
constexpr int64_t kChunkQuads = kChunkDims / 4;
constexpr int32_t kFoldedOffset = 128;
// With fewer dims an index query has no room for a chunk; many more, and a sum could pass 2^24.
constexpr int64_t kFoldedDimsMin = 33;
constexpr int64_t kFoldedDimsMax = 256;
// Biased exponents of scales and of head weights whose products with each other and with an integer
// of 24 bits, however many are added, stay far from both ends of float32.
constexpr int kFoldedScaleMin = 127 - 30;
constexpr int kFoldedScaleMax = 127 + 30;
constexpr int kFoldedWeightMin = 127 - 40;
constexpr int kFoldedWeightMax = 127 + 20;

// Behind the groups of the query.
struct FoldedLayout {
  int64_t bytes;    // [quads][heads][4] signed
  int64_t offsets;  // [heads] int32, -128 times the sum of a head's bytes
  int64_t factors;  // [heads] float32
  int64_t state;    // one byte: 1 when the query could be folded
};

KVASIR_INLINE int64_t chunk_count(int64_t dim) { return (dim + kChunkDims - 1) / kChunkDims; }

KVASIR_INLINE FoldedLayout folded_layout(const QueryLayout& layout, int64_t dim) {
  const int64_t group_count = (dim + kGroupDims - 1) / kGroupDims;
  FoldedLayout folded;
  folded.bytes = group_count * layout.group_bytes;
  folded.offsets = folded.bytes + chunk_count(dim) * kChunkQuads * layout.quad_bytes;
  folded.factors = folded.offsets + 4 * layout.heads;
  folded.state = folded.factors + 4 * layout.heads;
  return folded;
}

// ---- the query

// The biased exponent of a group's factor for a head.
KVASIR_INLINE int factor_exponent(const uint8_t* group, const QueryLayout& layout, int64_t head) {
  return static_cast<int>(load_value<uint32_t>(group + layout.factors + 4 * head) >> 23);
}

// One head of an encoded query; false: its scales lie too far apart.
bool fold_query_head(const QueryLayout& layout, const FoldedLayout& folded, int64_t group_count,
                     int64_t head, uint8_t* query) {
  int low = 255;
  int high = 0;
  for (int64_t g = 0; g < group_count; ++g) {
    const int exponent = factor_exponent(query + g * layout.group_bytes, layout, head);
    low = exponent < low ? exponent : low;
    high = exponent > high ? exponent : high;
  }
  if (high - low > kFoldedShiftMax || low < kFoldedScaleMin || high > kFoldedScaleMax) return false;
  int32_t sum = 0;
  for (int64_t g = 0; g < group_count; ++g) {
    const uint8_t* group = query + g * layout.group_bytes;
    const int shift = factor_exponent(group, layout, head) - low;
    for (int64_t quad = 0; quad < kGroupQuads; ++quad) {
      // Four quads of even dims, then four of odd ones.
      const int64_t folded_quad = g / kChunkGroups * kChunkQuads + quad / 4 * (kChunkQuads / 2) +
                                  g % kChunkGroups * 4 + quad % 4;
      for (int64_t place = 0; place < 4; ++place) {
        const auto byte = static_cast<int8_t>(group[quad * layout.quad_bytes + 4 * head + place]);
        const int32_t shifted = byte * (1 << shift);
        sum += shifted;
        query[folded.bytes + folded_quad * layout.quad_bytes + 4 * head + place] =
            static_cast<uint8_t>(shifted & 255);
      }
    }
  }
  store_value<int32_t>(query + folded.offsets + 4 * head, -kFoldedOffset * sum);
  store_value<int32_t>(query + folded.factors + 4 * head, low << 23);
  return true;
}

KVASIR_INLINE bool can_fold(const RowFormat& format) {
  return format.codec == CodecId::kFp4 && format.dim >= kFoldedDimsMin &&
         format.dim <= kFoldedDimsMax;
}

void fold_query(const RowFormat& format, int64_t head_count, uint8_t* query) {
  if (!can_fold(format)) return;
  const QueryLayout layout = native_query_layout(head_count);
  const FoldedLayout folded = folded_layout(layout, format.dim);
  const int64_t group_count = (format.dim + kGroupDims - 1) / kGroupDims;
  clear_bytes(query + folded.bytes, folded.state + 1 - folded.bytes);
  for (int64_t head = 0; head < head_count; ++head) {
    if (!fold_query_head(layout, folded, group_count, head, query)) return;
  }
  query[folded.state] = 1;
}

// Whether no head's weight is so small or so large that a power of two taken out of the sum would
// change its roundings. A zero weight is neither.
KVASIR_INLINE bool are_plain(const float* head_weights, int64_t head_count) {
  bool are_plain = true;
  for_each_vec(head_count, [&](int64_t h, auto mask) KVASIR_LAMBDA_INLINE {
    const VecInt magnitudes =
        and_bits(bits(load(head_weights + h, mask)), broadcast_int(INT32_MAX));
    const VecInt above = sub_int(magnitudes, broadcast_int(kFoldedWeightMin << 23));
    const VecInt range = broadcast_int((kFoldedWeightMax - kFoldedWeightMin) << 23);
    const Mask outside = _mm512_cmpgt_epu32_mask(above, range);
    are_plain = are_plain && _mm512_mask_test_epi32_mask(outside, magnitudes, magnitudes) == 0;
  });
  return are_plain;
}

// A query as all blocks of a call need it.
struct FoldedQuery {
  bool is_usable;  // with these weights, for such keys as can be folded
  int64_t dim;
  int64_t head_count;
  int64_t vec_count;
  const float* head_weights;
  const uint8_t* bytes;
  int64_t quad_bytes;
  const int32_t* offsets;
  const float* factors;
};

KVASIR_INLINE FoldedQuery folded_query(const IndexScoreArgs& args) {
  const auto* query = reinterpret_cast<const uint8_t*>(args.query);
  const QueryLayout layout = native_query_layout(args.head_count);
  const FoldedLayout folded = folded_layout(layout, args.format.dim);
  return {.is_usable = can_fold(args.format) && query[folded.state] == 1 &&
                       are_plain(args.head_weights, args.head_count),
          .dim = args.format.dim,
          .head_count = args.head_count,
          .vec_count = (args.head_count + kLanes - 1) / kLanes,
          .head_weights = args.head_weights,
          .bytes = query + folded.bytes,
          .quad_bytes = layout.quad_bytes,
          .offsets = reinterpret_cast<const int32_t*>(query + folded.offsets),
          .factors = reinterpret_cast<const float*>(query + folded.factors)};
}

// ---- keys

// A block of keys on its way to bytes.
struct FoldedKeys {
  alignas(64) uint8_t bytes[kBlockKeys][kFoldedDimsMax];
  // How far up each group goes, a group in a byte.
  alignas(16) uint32_t shifts[kFoldedDimsMax / kChunkDims][kBlockKeys];
  const uint8_t* codes[kBlockKeys];
  __m128 scales;
};

// The scales of a chunk's groups as bytes of a word; the last one again where the key ends early.
KVASIR_INLINE uint32_t chunk_scales(const uint8_t* scales, int64_t group_count) {
  if (group_count >= kChunkGroups) return load_value<uint32_t>(scales);
  uint32_t word = 0;
  for (int64_t g = 0; g < kChunkGroups; ++g) {
    word |= static_cast<uint32_t>(scales[smaller(g, group_count - 1)]) << (8 * g);
  }
  return word;
}

// The scales of one chunk of four keys, a key's in a lane.
KVASIR_INLINE __m128i scales_of_4(const uint8_t* const* keys, int64_t code_bytes, int64_t chunk,
                                  int64_t group_count) {
  const int64_t first = chunk * kChunkGroups;
  const auto word = [&](int j) KVASIR_LAMBDA_INLINE {
    return static_cast<int32_t>(chunk_scales(keys[j] + code_bytes + first, group_count - first));
  };
  return _mm_setr_epi32(word(0), word(1), word(2), word(3));
}

// Each lane's smallest, or largest, byte, alone in its lane.
KVASIR_INLINE __m128i smallest_bytes(__m128i lanes) {
  lanes = _mm_min_epu8(lanes, _mm_srli_epi32(lanes, 16));
  lanes = _mm_min_epu8(lanes, _mm_srli_epi32(lanes, 8));
  return _mm_and_si128(lanes, _mm_set1_epi32(255));
}
KVASIR_INLINE __m128i largest_bytes(__m128i lanes) {
  lanes = _mm_max_epu8(lanes, _mm_srli_epi32(lanes, 16));
  lanes = _mm_max_epu8(lanes, _mm_srli_epi32(lanes, 8));
  return _mm_and_si128(lanes, _mm_set1_epi32(255));
}

// All but the bytes, which unpack_key writes. False: the query cannot be folded, or the scales of
// one key lie too far apart.
KVASIR_INLINE bool begin_folding(const FoldedQuery& query, const uint8_t* const* keys,
                                 FoldedKeys& folded) {
  const int64_t code_bytes = (query.dim + 1) / 2;
  const int64_t group_count = (query.dim + kGroupDims - 1) / kGroupDims;
  if (!query.is_usable) return false;
  __m128i scales[kFoldedDimsMax / kChunkDims];
  __m128i low = _mm_set1_epi32(-1);
  __m128i high = _mm_setzero_si128();
  for (int64_t chunk = 0; chunk < chunk_count(query.dim); ++chunk) {
    scales[chunk] = scales_of_4(keys, code_bytes, chunk, group_count);
    low = _mm_min_epu8(low, scales[chunk]);
    high = _mm_max_epu8(high, scales[chunk]);
  }
  low = smallest_bytes(low);
  high = largest_bytes(high);
  const __m128i too_far =
      _mm_cmpgt_epi32(_mm_sub_epi32(high, low), _mm_set1_epi32(kFoldedShiftMax));
  const __m128i too_small = _mm_cmpgt_epi32(_mm_set1_epi32(kFoldedScaleMin), low);
  const __m128i too_large = _mm_cmpgt_epi32(high, _mm_set1_epi32(kFoldedScaleMax));
  if (_mm_movemask_epi8(_mm_or_si128(too_far, _mm_or_si128(too_small, too_large))) != 0)
    return false;
  const __m128i lows = _mm_mullo_epi32(low, _mm_set1_epi32(0x01010101));
  for (int64_t chunk = 0; chunk < chunk_count(query.dim); ++chunk) {
    _mm_store_si128(reinterpret_cast<__m128i*>(folded.shifts[chunk]),
                    _mm_sub_epi8(scales[chunk], lows));
  }
  KVASIR_UNROLL
  for (int j = 0; j < kBlockKeys; ++j) folded.codes[j] = keys[j];
  // A scale's code is the exponent of its float.
  folded.scales = _mm_castsi128_ps(_mm_slli_epi32(low, 23));
  return true;
}

// 128 plus twice the values of the codes; a quarter for each shift.
alignas(64) constexpr uint8_t kShiftedValues[4][16] = {
    {128, 129, 130, 131, 132, 134, 136, 140, 128, 127, 126, 125, 124, 122, 120, 116},
    {128, 130, 132, 134, 136, 140, 144, 152, 128, 126, 124, 122, 120, 116, 112, 104},
    {128, 132, 136, 140, 144, 152, 160, 176, 128, 124, 120, 116, 112, 104, 96, 80},
    {128, 136, 144, 152, 160, 176, 192, 224, 128, 120, 112, 104, 96, 80, 64, 32},
};

// A register quarter for each of a chunk's groups: the table for the group's shift.
KVASIR_INLINE VecInt tables_of_groups(uint32_t shifts) {
  // Each half of a quarter takes half of a table; only the lowest bits of an index count.
  const VecInt own_group =
      _mm512_set_epi64(0x0303030303030303, 0x0303030303030303, 0x0202020202020202,
                       0x0202020202020202, 0x0101010101010101, 0x0101010101010101, 0, 0);
  const VecInt halves = _mm512_set_epi64(1, 0, 1, 0, 1, 0, 1, 0);
  const VecInt doubled = _mm512_set1_epi32(static_cast<int32_t>(2 * shifts));
  const VecInt places = or_bits(_mm512_shuffle_epi8(doubled, own_group), halves);
  return _mm512_permutexvar_epi64(places, _mm512_load_si512(kShiftedValues));
}

// Key `j` of the block to bytes: of each chunk 64 of even dims, then 64 of odd ones.
KVASIR_INLINE void unpack_key(int64_t dim, int64_t j, FoldedKeys& folded) {
  const VecInt nibble = _mm512_set1_epi8(15);
  for (int64_t chunk = 0; chunk < chunk_count(dim); ++chunk) {
    const VecInt tables = tables_of_groups(folded.shifts[chunk][j]);
    const uint8_t* codes = folded.codes[j] + chunk * kChunkDims / 2;
    const int64_t left = dim - chunk * kChunkDims;
    const VecInt pairs =
        left >= kChunkDims ? load_bytes(codes)
                           : _mm512_maskz_loadu_epi8((uint64_t{1} << ((left + 1) / 2)) - 1, codes);
    uint8_t* target = folded.bytes[j] + chunk * kChunkDims;
    _mm512_store_si512(target, _mm512_shuffle_epi8(tables, and_bits(pairs, nibble)));
    _mm512_store_si512(target + kChunkDims / 2,
                       _mm512_shuffle_epi8(tables, and_bits(_mm512_srli_epi16(pairs, 4), nibble)));
  }
}

// ---- all keys of a block by kVecs vectors of heads

// Adds to the sums of all keys the products with kVecs vectors of heads. The keys of `next`, if
// any, are unpacked in between, which the products leave the units for idle.
template <int kChains, int kVecs>
KVASIR_INLINE void add_folded_products(const FoldedQuery& query, const uint8_t* query_bytes,
                                       const FoldedKeys& keys, FoldedKeys* next,
                                       VecInt (&sums)[kChains][kBlockKeys][kVecs]) {
  const int64_t part_quads = chunk_count(query.dim) * kChunkQuads / kBlockKeys;
  const uint8_t* key_bytes = keys.bytes[0];
  for (int64_t part = 0; part < kBlockKeys; ++part) {
    if (next != nullptr) unpack_key(query.dim, part, *next);
    for (int64_t quad = 0; quad < part_quads; quad += kChains) {
      KVASIR_UNROLL
      for (int c = 0; c < kChains; ++c) {
        VecInt words[kBlockKeys];
        KVASIR_UNROLL
        for (int j = 0; j < kBlockKeys; ++j) words[j] = load_quad(key_bytes + j * kFoldedDimsMax);
        KVASIR_UNROLL
        for (int v = 0; v < kVecs; ++v) {
          const VecInt bytes = load_bytes(query_bytes + 4 * v * kLanes);
          KVASIR_UNROLL
          for (int j = 0; j < kBlockKeys; ++j)
            add_all_byte_products(sums[c][j][v], words[j], bytes);
        }
        key_bytes += 4;
        query_bytes += query.quad_bytes;
      }
    }
  }
}

// Adds the heads from `head` on to the totals [keys in the block], lane by lane and without the
// keys' scales. Alone in a function, all sums stay in registers; there are kChains of them for each
// key and vector, so that none waits for its last product.
template <int kVecs, int kChains>
__attribute__((noinline)) void score_folded_heads(const FoldedQuery& query, const FoldedKeys& keys,
                                                  int64_t head, FoldedKeys* next, Vec* totals) {
  VecInt sums[kChains][kBlockKeys][kVecs];
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const VecInt offsets = _mm512_loadu_si512(query.offsets + head + v * kLanes);
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) {
      sums[0][j][v] = offsets;
      KVASIR_UNROLL
      for (int c = 1; c < kChains; ++c) sums[c][j][v] = _mm512_setzero_si512();
    }
  }
  add_folded_products(query, query.bytes + 4 * head, keys, next, sums);
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int64_t first = head + v * kLanes;
    const int64_t left = query.head_count - first;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    const Vec weights =
        load(query.factors + first) * load(query.head_weights + (left > 0 ? first : 0), mask);
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) {
      VecInt sum = sums[0][j][v];
      KVASIR_UNROLL
      for (int c = 1; c < kChains; ++c) sum = add_int(sum, sums[c][j][v]);
      totals[j] = fma(max(to_float(sum), zero()), weights, totals[j]);
    }
  }
}

// The scores of a block's keys. `next`: nullptr, or a block that is to be unpacked.
KVASIR_INLINE FourFloats score_folded_block(const FoldedQuery& query, const FoldedKeys& keys,
                                            FoldedKeys* next) {
  Vec totals[kBlockKeys] = {zero(), zero(), zero(), zero()};
  constexpr int kVecs = 4;
  int64_t v = 0;
  for (; v + kVecs <= query.vec_count; v += kVecs) {
    score_folded_heads<kVecs, 1>(query, keys, v * kLanes, next, totals);
    next = nullptr;
  }
  for (; v < query.vec_count; ++v) {
    score_folded_heads<1, 2>(query, keys, v * kLanes, next, totals);
    next = nullptr;
  }
  return reduce_add_4(totals[0], totals[1], totals[2], totals[3]) * keys.scales;
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
