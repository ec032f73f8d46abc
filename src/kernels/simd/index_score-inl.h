// score_one_query computes the scores of one token over many keys. Included once per instruction
// set, behind index_query-inl.h.
//
// FP4 keys are summed whole, a block of keys at a time, where the scales allow it
// (index_score_folded-inl.h), else group by group, as 2-bit keys are; signs have a way of their own
// (index_signs-inl.h). The wide precisions keep the query as [dims][heads] float32.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

void encode_index_query(const RowFormat& format, const float* q, int64_t head_count,
                        std::byte* query) {
  auto* bytes = reinterpret_cast<uint8_t*>(query);
  if (has_byte_keys(format.codec)) {
    encode_native_query(format, q, head_count, bytes);
    return fold_query(format, head_count, bytes);
  }
  if (format.codec == CodecId::kSignKeys) return encode_sign_query(format, q, head_count, bytes);
  const int64_t heads = round_up(head_count, kLanesMax);
  clear_bytes(bytes, 4 * heads * format.dim);
  for (int64_t h = 0; h < head_count; ++h) {
    for (int64_t i = 0; i < format.dim; ++i) {
      store_value(bytes + 4 * (i * heads + h), q[h * format.dim + i]);
    }
  }
}

// ---- all groups, then relu and the heads' weights

// Adds this pass's heads to the totals [keys in the block], lane by lane.
template <class Keys, int kKeys, int kVecs>
void score_heads(const ScorePass& pass, const uint8_t* const* keys, Vec* totals) {
  const IndexScoreArgs& args = *pass.args;
  Vec products[kKeys][kVecs];
  KVASIR_UNROLL
  for (int j = 0; j < kKeys; ++j) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) products[j][v] = zero();
  }
  const int64_t group_count = (args.format.dim + kGroupDims - 1) / kGroupDims;
  for (int64_t group = 0; group < group_count; ++group)
    Keys::add_group(pass, keys, group, products);
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

template <class Keys, int kVecs>
KVASIR_INLINE void score_block_heads(const ScorePass& pass, const uint8_t* const* keys,
                                     Vec* totals) {
  constexpr int64_t kKeys = kVecs == 1 ? kBlockKeys : 2;
  for (int64_t j = 0; j < kBlockKeys; j += kKeys)
    score_heads<Keys, kKeys, kVecs>(pass, keys + j, totals + j);
}

template <class Keys>
FourFloats score_block_by_groups(const IndexScoreArgs& args, const uint8_t* const* keys) {
  Vec totals[kBlockKeys] = {zero(), zero(), zero(), zero()};
  ScorePass pass = {&args, 0};
  const int64_t vecs = (args.head_count + kLanes - 1) / kLanes;
  int64_t v = 0;
  for (; v + kPassVecs <= vecs; v += kPassVecs) {
    pass.head = v * kLanes;
    score_block_heads<Keys, kPassVecs>(pass, keys, totals);
  }
  for (; v < vecs; ++v) {
    pass.head = v * kLanes;
    score_block_heads<Keys, 1>(pass, keys, totals);
  }
  return reduce_add_4(totals[0], totals[1], totals[2], totals[3]);
}

using ScoreKeys = decltype(&score_block_by_groups<FloatKeys>);

KVASIR_INLINE ScoreKeys find_score_keys(CodecId codec) {
  switch (codec) {
    case CodecId::kFp4:
      return score_block_by_groups<ByteKeys<Fp4Keys>>;
    case CodecId::kInt2Keys:
      return score_block_by_groups<ByteKeys<Int2Keys>>;
    case CodecId::kSignKeys:
      return score_signs;
    default:
      return score_block_by_groups<FloatKeys>;
  }
}

// ---- the blocks of a call, one after the other

// What all blocks of a call need.
struct ScoreCall {
  const IndexScoreArgs* args;
  FoldedQuery query;
};

// A block and what is known of it before its turn.
struct KeyBlock {
  const uint8_t* keys[kBlockKeys];
  FoldedKeys folded;
  bool is_folded;
};

// Leaves the folded bytes to be unpacked. REQUIRES: first < args.key_count.
KVASIR_INLINE void begin_block(const ScoreCall& call, int64_t key_bytes, int64_t first,
                               KeyBlock& block) {
  const auto* keys = reinterpret_cast<const uint8_t*>(call.args->keys);
  KVASIR_UNROLL
  for (int64_t j = 0; j < kBlockKeys; ++j) {
    // A short block scores its last key again rather than read beyond it.
    block.keys[j] = keys + smaller(first + j, call.args->key_count - 1) * key_bytes;
  }
  block.is_folded = begin_folding(call.query, block.keys, block.folded);
}

KVASIR_INLINE void unpack_block(const ScoreCall& call, KeyBlock& block) {
  if (!block.is_folded) return;
  for (int64_t j = 0; j < kBlockKeys; ++j) unpack_key(call.args->format.dim, j, block.folded);
}

// The keys that a folded block unpacks while it is scored.
KVASIR_INLINE FoldedKeys* unpacked_between(KeyBlock* next) {
  return next != nullptr && next->is_folded ? &next->folded : nullptr;
}

// Calls score(block, next, first, count) for each block, of `count` keys from `first` on. It has to
// unpack next, if there is one.
template <class Score>
KVASIR_INLINE void for_each_block(const ScoreCall& call, const Score& score) {
  const IndexScoreArgs& args = *call.args;
  const int64_t key_bytes = args.format.bytes();
  KeyBlock blocks[2];
  KeyBlock* block = &blocks[0];
  KeyBlock* next = &blocks[1];
  begin_block(call, key_bytes, 0, *block);
  unpack_block(call, *block);
  for (int64_t first = 0; first < args.key_count; first += kBlockKeys) {
    const int64_t count = smaller(kBlockKeys, args.key_count - first);
    if (first + count == args.key_count) next = nullptr;
    if (next != nullptr) begin_block(call, key_bytes, first + kBlockKeys, *next);
    if (args.keys_ahead != nullptr)
      fetch_ahead(args.keys_ahead + first * key_bytes, count * key_bytes);
    score(*block, next, first, count);
    KeyBlock* const done = block;
    block = next;
    next = done;
  }
}

KVASIR_INLINE void store_scores(float* target, FourFloats scores, int64_t count) {
  if (count == kBlockKeys) return store_four(target, scores);
  float first_scores[kBlockKeys];
  store_four(first_scores, scores);
  for (int64_t j = 0; j < count; ++j) target[j] = first_scores[j];
}

// ---- one token

void score_one_query(const IndexScoreArgs& args) {
  const ScoreCall call = {.args = &args, .query = folded_query(args)};
  const ScoreKeys score_keys = find_score_keys(args.format.codec);
  for_each_block(call, [&](const KeyBlock& block, KeyBlock* next, int64_t first,
                           int64_t count) KVASIR_LAMBDA_INLINE {
    if (block.is_folded) {
      const FourFloats scores =
          score_folded_block(call.query, block.folded, unpacked_between(next));
      return store_scores(args.scores + first, scores, count);
    }
    if (next != nullptr) unpack_block(call, *next);
    store_scores(args.scores + first, score_keys(args, block.keys), count);
  });
}

// One of the queries of a call, with its weights and scores.
KVASIR_INLINE IndexScoreArgs query_of(const IndexScoreArgs& args, int64_t query) {
  IndexScoreArgs one = args;
  one.query_count = 1;
  one.query += query * index_query_bytes(args.format, args.head_count);
  one.head_weights += query * args.head_count;
  one.scores += query * args.score_stride;
  return one;
}

void score_queries_apart(const IndexScoreArgs& args) {
  for (int64_t query = 0; query < args.query_count; ++query) score_one_query(query_of(args, query));
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
