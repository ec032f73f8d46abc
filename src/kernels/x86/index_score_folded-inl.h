// Index scores in one integer sum per key and head. Included behind index_query-inl.h where any two
// bytes can be multiplied and added.
//
// The scales of a key's groups are powers of two that lie close together, as are a query head's.
// Shifting the FP4 values up by their distance to the smallest scale (at most 3 places, then a byte
// still holds them) leaves one scale per key and one per head: the whole dot product is an exact
// integer. Group by group the same sum rounds nowhere either (every part is a multiple of the
// smallest, below 2^24 of it), so the bits are those of the other way, and which way a key goes is
// nobody's business but its own speed.
//
// Dims go in chunks of 128, the even ones of all four groups first, as a key unpacks in whole
// registers. Keys are the signed side, four bytes at a time to all lanes; the query has 128 added
// to make it the unsigned one, which every sum begins by taking away again.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int kFoldedShiftMax = 3;
constexpr int64_t kChunkGroups = 4;
constexpr int64_t kChunkDims = kChunkGroups * kGroupDims;
constexpr int64_t kChunkQuads = kChunkDims / 4;
constexpr int32_t kQueryOffset = 128;
// With fewer dims an index query has no room for a chunk; many more, and a sum
// could pass 2^24.
constexpr int64_t kFoldedDimsMin = 33;
constexpr int64_t kFoldedDimsMax = 256;
// Scales whose products are far from the ends of float32.
constexpr int kFoldedScaleMin = 66;
constexpr int kFoldedScaleMax = 188;

// Behind the groups of the query.
struct FoldedLayout {
  int64_t bytes;    // [quads][heads][4] unsigned
  int64_t factors;  // [heads] float32
  int64_t state;    // one byte: 1 when the query could be folded
};

KVASIR_INLINE int64_t chunk_count(int64_t dim) { return (dim + kChunkDims - 1) / kChunkDims; }

KVASIR_INLINE FoldedLayout folded_layout(const QueryLayout& layout, int64_t dim) {
  const int64_t group_count = (dim + kGroupDims - 1) / kGroupDims;
  FoldedLayout folded;
  folded.bytes = group_count * layout.group_bytes;
  folded.factors = folded.bytes + chunk_count(dim) * kChunkQuads * layout.quad_bytes;
  folded.state = folded.factors + 4 * layout.heads;
  return folded;
}

// The biased exponent of a group's factor for a head.
KVASIR_INLINE int factor_exponent(const uint8_t* group, const QueryLayout& layout, int64_t head) {
  return static_cast<int>(load_word(group + layout.factors + 4 * head) >> 23);
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
  for (int64_t g = 0; g < group_count; ++g) {
    const uint8_t* group = query + g * layout.group_bytes;
    const int shift = factor_exponent(group, layout, head) - low;
    for (int64_t quad = 0; quad < kGroupQuads; ++quad) {
      // Four quads of even dims, then four of odd ones.
      const int64_t folded_quad = g / kChunkGroups * kChunkQuads + quad / 4 * (kChunkQuads / 2) +
                                  g % kChunkGroups * 4 + quad % 4;
      for (int64_t place = 0; place < 4; ++place) {
        const auto byte = static_cast<int8_t>(group[quad * layout.quad_bytes + 4 * head + place]);
        query[folded.bytes + folded_quad * layout.quad_bytes + 4 * head + place] =
            static_cast<uint8_t>(byte * (1 << shift) + kQueryOffset);
      }
    }
  }
  store_word(query + folded.factors + 4 * head, low << 23);
  return true;
}

KVASIR_INLINE bool can_fold(const KeyFormat& format) {
  return format.dim >= kFoldedDimsMin && format.dim <= kFoldedDimsMax;
}

void fold_query(const KeyFormat& format, int64_t head_count, uint8_t* query) {
  if (!can_fold(format)) return;
  const QueryLayout layout = native_query_layout(head_count);
  const FoldedLayout folded = folded_layout(layout, format.dim);
  const int64_t group_count = (format.dim + kGroupDims - 1) / kGroupDims;
  for (int64_t i = folded.bytes; i < folded.factors; ++i) query[i] = kQueryOffset;
  clear_bytes(query + folded.factors, 4 * layout.heads + 1);
  for (int64_t head = 0; head < head_count; ++head) {
    if (!fold_query_head(layout, folded, group_count, head, query)) return;
  }
  query[folded.state] = 1;
}

// ---- keys

// The scales of a chunk's groups as bytes of a word; the last one again where the key ends early.
KVASIR_INLINE uint32_t chunk_scales(const uint8_t* scales, int64_t group_count) {
  if (group_count >= kChunkGroups) return load_word(scales);
  uint32_t word = 0;
  for (int64_t g = 0; g < kChunkGroups; ++g) {
    word |= static_cast<uint32_t>(scales[smaller(g, group_count - 1)]) << (8 * g);
  }
  return word;
}

// A chunk's 64 code bytes -> 64 signed bytes of the even dims, 64 of the odd ones: twice the value,
// shifted by its group's count. Groups are the register's quarters.
KVASIR_INLINE void unpack_signed_chunk(const uint8_t* codes, int64_t code_bytes, uint32_t shifts,
                                       VecInt& even, VecInt& odd) {
  const auto everywhere = [](__m128i quarter)
                              KVASIR_LAMBDA_INLINE { return _mm512_broadcast_i32x4(quarter); };
  const VecInt own_group = _mm512_set_epi32(
      0x03030303, 0x03030303, 0x03030303, 0x03030303, 0x02020202, 0x02020202, 0x02020202,
      0x02020202, 0x01010101, 0x01010101, 0x01010101, 0x01010101, 0, 0, 0, 0);
  const VecInt values =
      everywhere(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
  const VecInt kept_bits =
      everywhere(_mm_setr_epi8(-1, -2, -4, -8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const VecInt nibble = _mm512_set1_epi8(15);
  const VecInt counts = _mm512_shuffle_epi8(broadcast_int(static_cast<int32_t>(shifts)), own_group);
  // Pairs of bytes are shifted; what comes into the upper one from the lower is cut off.
  const VecInt pair_counts = and_bits(counts, _mm512_set1_epi16(255));
  const VecInt kept = _mm512_shuffle_epi8(kept_bits, counts);
  const VecInt pairs = code_bytes >= kChunkDims / 2
                           ? load_bytes(codes)
                           : _mm512_maskz_loadu_epi8((uint64_t{1} << code_bytes) - 1, codes);
  even = _mm512_shuffle_epi8(values, and_bits(pairs, nibble));
  odd = _mm512_shuffle_epi8(values, and_bits(_mm512_srli_epi16(pairs, 4), nibble));
  even = and_bits(_mm512_sllv_epi16(even, pair_counts), kept);
  odd = and_bits(_mm512_sllv_epi16(odd, pair_counts), kept);
}

struct FoldedKeys {
  alignas(64) uint8_t bytes[kBlockKeys][kFoldedDimsMax];
  alignas(16) int32_t starts[kBlockKeys];  // what a head's sum begins with
  float scales[kBlockKeys];
};

// The scales of one chunk of four keys, a key's in a lane.
KVASIR_INLINE __m128i scales_of_4(const uint8_t* const* keys, int64_t code_bytes, int64_t chunk,
                                  int64_t group_count) {
  const int64_t first = chunk * kChunkGroups;
  uint32_t words[kBlockKeys];
  KVASIR_UNROLL
  for (int j = 0; j < kBlockKeys; ++j)
    words[j] = chunk_scales(keys[j] + code_bytes + first, group_count - first);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
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

// The sums of the lanes of each of four vectors.
KVASIR_INLINE __m128i sum_lanes_of_4(const VecInt* sums) {
  __m256i halves[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) {
    halves[i] =
        _mm256_add_epi32(_mm512_castsi512_si256(sums[i]), _mm512_extracti64x4_epi64(sums[i], 1));
  }
  const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(halves[0], halves[1]),
                                          _mm256_hadd_epi32(halves[2], halves[3]));
  return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

// The smallest scale of each of four keys; false: those of one key lie too far apart.
KVASIR_INLINE bool find_scales(const KeyFormat& format, const uint8_t* const* keys, __m128i& low) {
  const int64_t code_bytes = (format.dim + 1) / 2;
  const int64_t group_count = (format.dim + kGroupDims - 1) / kGroupDims;
  low = _mm_set1_epi32(-1);
  __m128i high = _mm_setzero_si128();
  for (int64_t chunk = 0; chunk * kChunkDims < format.dim; ++chunk) {
    const __m128i scales = scales_of_4(keys, code_bytes, chunk, group_count);
    low = _mm_min_epu8(low, scales);
    high = _mm_max_epu8(high, scales);
  }
  low = smallest_bytes(low);
  high = largest_bytes(high);
  const __m128i too_far =
      _mm_cmpgt_epi32(_mm_sub_epi32(high, low), _mm_set1_epi32(kFoldedShiftMax));
  const __m128i too_small = _mm_cmpgt_epi32(_mm_set1_epi32(kFoldedScaleMin), low);
  const __m128i too_large = _mm_cmpgt_epi32(high, _mm_set1_epi32(kFoldedScaleMax));
  return _mm_movemask_epi8(_mm_or_si128(too_far, _mm_or_si128(too_small, too_large))) == 0;
}

// False: they have to go group by group.
KVASIR_INLINE bool fold_keys(const KeyFormat& format, const uint8_t* const* keys,
                             FoldedKeys& folded) {
  const int64_t code_bytes = (format.dim + 1) / 2;
  const int64_t group_count = (format.dim + kGroupDims - 1) / kGroupDims;
  __m128i low;
  if (!find_scales(format, keys, low)) return false;
  const __m128i lows = _mm_mullo_epi32(low, _mm_set1_epi32(0x01010101));
  const VecInt ones = _mm512_set1_epi8(1);
  VecInt sums[kBlockKeys];
  KVASIR_UNROLL
  for (VecInt& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t chunk = 0; chunk * kChunkDims < format.dim; ++chunk) {
    alignas(16) uint32_t shifts[kBlockKeys];
    _mm_store_si128(reinterpret_cast<__m128i*>(shifts),
                    _mm_sub_epi8(scales_of_4(keys, code_bytes, chunk, group_count), lows));
    const int64_t begin = chunk * kChunkDims / 2;
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) {
      VecInt even;
      VecInt odd;
      unpack_signed_chunk(keys[j] + begin, code_bytes - begin, shifts[j], even, odd);
      uint8_t* target = folded.bytes[j] + chunk * kChunkDims;
      _mm512_store_si512(target, even);
      _mm512_store_si512(target + kChunkDims / 2, odd);
      add_all_byte_products(sums[j], ones, even);
      add_all_byte_products(sums[j], ones, odd);
    }
  }
  const __m128i starts = _mm_mullo_epi32(sum_lanes_of_4(sums), _mm_set1_epi32(-kQueryOffset));
  _mm_store_si128(reinterpret_cast<__m128i*>(folded.starts), starts);
  // A scale's code is the exponent of its float.
  _mm_storeu_ps(folded.scales, _mm_castsi128_ps(_mm_slli_epi32(low, 23)));
  return true;
}

// ---- all keys of a block by kVecs vectors of heads

// Alone in a function, all its sums stay in registers.
template <int kVecs>
__attribute__((noinline)) void score_folded_heads(const IndexScoreArgs& args,
                                                  const QueryLayout& layout,
                                                  const FoldedLayout& folded,
                                                  const FoldedKeys& keys, int64_t head,
                                                  Vec* totals) {
  const uint8_t* query = reinterpret_cast<const uint8_t*>(args.query) + folded.bytes + 4 * head;
  VecInt sums[kBlockKeys][kVecs];
  KVASIR_UNROLL
  for (int j = 0; j < kBlockKeys; ++j) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[j][v] = broadcast_int(keys.starts[j]);
  }
  const int64_t quad_count = chunk_count(args.format.dim) * kChunkQuads;
  for (int64_t quad = 0; quad < quad_count; ++quad) {
    VecInt words[kBlockKeys];
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) words[j] = load_quad(keys.bytes[j] + 4 * quad);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const VecInt bytes = load_bytes(query + quad * layout.quad_bytes + 4 * v * kLanes);
      KVASIR_UNROLL
      for (int j = 0; j < kBlockKeys; ++j) add_all_byte_products(sums[j][v], bytes, words[j]);
    }
  }
  const auto* factors =
      reinterpret_cast<const float*>(reinterpret_cast<const uint8_t*>(args.query) + folded.factors);
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int64_t first = head + v * kLanes;
    const int64_t left = args.head_count - first;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    const Vec weights = load(args.head_weights + (left > 0 ? first : 0), mask);
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) {
      const Vec product =
          to_float(sums[j][v]) * (load(factors + first) * broadcast(keys.scales[j]));
      totals[j] = fma(max(product, zero()), weights, totals[j]);
    }
  }
}

// False: these keys, or the query, have to go group by group.
KVASIR_INLINE bool fold_block(const IndexScoreArgs& args, const uint8_t* const* keys,
                              FoldedKeys& folded_keys) {
  if (!can_fold(args.format)) return false;
  const QueryLayout layout = native_query_layout(args.head_count);
  const FoldedLayout folded = folded_layout(layout, args.format.dim);
  if (reinterpret_cast<const uint8_t*>(args.query)[folded.state] == 0) return false;
  return fold_keys(args.format, keys, folded_keys);
}

KVASIR_INLINE void score_folded_block(const IndexScoreArgs& args, const FoldedKeys& folded_keys,
                                      Vec* totals) {
  const QueryLayout layout = native_query_layout(args.head_count);
  const FoldedLayout folded = folded_layout(layout, args.format.dim);
  constexpr int kVecs = 4;
  const int64_t vecs = (args.head_count + kLanes - 1) / kLanes;
  int64_t v = 0;
  for (; v + kVecs <= vecs; v += kVecs) {
    score_folded_heads<kVecs>(args, layout, folded, folded_keys, v * kLanes, totals);
  }
  for (; v < vecs; ++v) {
    score_folded_heads<1>(args, layout, folded, folded_keys, v * kLanes, totals);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
