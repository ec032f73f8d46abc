// index_score where several tokens share a pass over the keys: a key is unpacked once for all, and
// the heads of as many tokens as it takes fill kIndexHeadsAtOnce lanes. Included behind
// index_score-inl.h.
//
// The bits are those of a token alone: its heads are multiplied, weighed and added in the same
// order. What its lanes miss at the end of a half vector are zeros that a token alone adds.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int kSharedVecs = kIndexHeadsAtOnce / kLanes;

// The folded queries of several tokens side by side.
struct SharedQueries {
  FoldedQuery folded;
  alignas(64) uint8_t bytes[kFoldedDimsMax / 4][4 * kIndexHeadsAtOnce];
  alignas(64) int32_t offsets[kIndexHeadsAtOnce];
  alignas(64) float weights[kIndexHeadsAtOnce];  // with the heads' factors
};

// Puts a token's heads from `lane` on.
KVASIR_INLINE void put_query(const FoldedQuery& query, int64_t lane, int64_t lane_count,
                             SharedQueries& shared) {
  for (int64_t quad = 0; quad < chunk_count(query.dim) * kChunkQuads; ++quad) {
    const uint8_t* source = query.bytes + quad * query.quad_bytes;
    uint8_t* target = shared.bytes[quad] + 4 * lane;
    for (int64_t i = 0; i < 4 * lane_count; i += 32) {
      const auto* from = reinterpret_cast<const __m256i*>(source + i);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i), _mm256_loadu_si256(from));
    }
  }
  for (int64_t head = 0; head < query.head_count; ++head) {
    shared.offsets[lane + head] = query.offsets[head];
    shared.weights[lane + head] = query.factors[head] * query.head_weights[head];
  }
}

// False: one of the queries cannot be folded.
KVASIR_INLINE bool share_queries(const IndexScoreArgs& args, int64_t lane_count,
                                 SharedQueries& shared) {
  for (int64_t lane = 0; lane < kIndexHeadsAtOnce; ++lane) {
    shared.offsets[lane] = 0;
    shared.weights[lane] = 0;
  }
  for (int64_t query = 0; query < args.query_count; ++query) {
    shared.folded = folded_query(query_of(args, query));
    if (!shared.folded.is_usable) return false;
    put_query(shared.folded, query * lane_count, lane_count, shared);
  }
  const int64_t filled = 4 * args.query_count * lane_count;
  for (int64_t quad = 0; quad < chunk_count(args.format.dim) * kChunkQuads; ++quad)
    clear_bytes(shared.bytes[quad] + filled, 4 * kIndexHeadsAtOnce - filled);
  shared.folded.quad_bytes = 4 * kIndexHeadsAtOnce;
  return true;
}

// The sums of the lower and of the upper halves of four vectors, pairing lanes 4 apart, then 2, 1.
KVASIR_INLINE void reduce_add_halves(const Vec* v, FourFloats* sums) {
  const Vec ab = _mm512_shuffle_f32x4(v[0], v[1], 0x88) + _mm512_shuffle_f32x4(v[0], v[1], 0xdd);
  const Vec cd = _mm512_shuffle_f32x4(v[2], v[3], 0x88) + _mm512_shuffle_f32x4(v[2], v[3], 0xdd);
  const Vec pairs = _mm512_shuffle_ps(ab, cd, 0x44) + _mm512_shuffle_ps(ab, cd, 0xee);
  const Vec all = pairs + swap_lanes<1>(pairs);
  const __m512i order = _mm512_setr_epi32(0, 8, 2, 10, 4, 12, 6, 14, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512 ordered = _mm512_permutexvar_ps(order, all);
  sums[0] = _mm512_castps512_ps128(ordered);
  sums[1] = _mm512_extractf32x4_ps(ordered, 1);
}

// The scores of a block's keys, token by token, of whom each has kTokenLanes lanes.
template <int kTokenLanes>
__attribute__((noinline)) void score_shared_block(const SharedQueries& queries,
                                                  const FoldedKeys& keys, FoldedKeys* next,
                                                  FourFloats* scores) {
  VecInt sums[1][kBlockKeys][kSharedVecs];
  KVASIR_UNROLL
  for (int v = 0; v < kSharedVecs; ++v) {
    const VecInt offsets = _mm512_load_si512(queries.offsets + v * kLanes);
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) sums[0][j][v] = offsets;
  }
  add_folded_products(queries.folded, queries.bytes[0], keys, next, sums);
  constexpr int kTokenVecs = kTokenLanes / kLanes;
  Vec totals[kBlockKeys];
  KVASIR_UNROLL
  for (int v = 0; v < kSharedVecs; ++v) {
    const Vec weights = load(queries.weights + v * kLanes);
    KVASIR_UNROLL
    for (int j = 0; j < kBlockKeys; ++j) {
      const Vec before = kTokenVecs == 0 || v % kTokenVecs == 0 ? zero() : totals[j];
      totals[j] = fma(max(to_float(sums[0][j][v]), zero()), weights, before);
    }
    if constexpr (kTokenVecs == 0) {
      reduce_add_halves(totals, scores);
      scores[0] = scores[0] * keys.scales;
      scores[1] = scores[1] * keys.scales;
      scores += 2;
    } else if ((v + 1) % kTokenVecs == 0) {
      *scores++ = reduce_add_4(totals[0], totals[1], totals[2], totals[3]) * keys.scales;
    }
  }
}

// REQUIRES: all queries at once, of kTokenLanes lanes.
template <int kTokenLanes>
void score_together(const IndexScoreArgs& args) {
  SharedQueries shared;
  if (!share_queries(args, kTokenLanes, shared)) return score_queries_apart(args);
  const ScoreCall call = {.args = &args, .query = shared.folded};
  for_each_block(call, [&](const KeyBlock& block, KeyBlock* next, int64_t first,
                           int64_t count) KVASIR_LAMBDA_INLINE {
    FourFloats scores[kIndexQueriesMax];
    if (block.is_folded) {
      score_shared_block<kTokenLanes>(shared, block.folded, unpacked_between(next), scores);
    } else {
      if (next != nullptr) unpack_block(call, *next);
      for (int64_t query = 0; query < args.query_count; ++query) {
        scores[query] = score_block_by_groups<ByteKeys<Fp4Keys>>(query_of(args, query), block.keys);
      }
    }
    for (int64_t query = 0; query < args.query_count; ++query)
      store_scores(args.scores + query * args.score_stride + first, scores[query], count);
  });
}

void index_score(const IndexScoreArgs& args) {
  if (args.key_count == 0) return;
  const int64_t at_once = index_queries_at_once(args.head_count);
  // A few tokens alone cost less than all lanes.
  if (args.query_count > at_once || 4 * args.query_count <= at_once || at_once == 1)
    return score_queries_apart(args);
  switch (kIndexHeadsAtOnce / at_once) {
    case 8:
      return score_together<8>(args);
    case 16:
      return score_together<16>(args);
    default:
      return score_together<32>(args);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
