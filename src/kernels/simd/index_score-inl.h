// index_score computes the scores of one token over many keys. Included once per instruction set,
// behind index_query-inl.h.
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
  int64_t key_bytes;
  FoldedQuery query;
  ScoreKeys score_keys;
};

// A block and what is known of it before its turn.
struct KeyBlock {
  const uint8_t* keys[kBlockKeys];
  FoldedKeys folded;
  bool is_folded;
};

// Leaves the folded bytes to be unpacked. REQUIRES: first < args.key_count.
KVASIR_INLINE void begin_block(const ScoreCall& call, int64_t first, KeyBlock& block) {
  const auto* keys = reinterpret_cast<const uint8_t*>(call.args->keys);
  KVASIR_UNROLL
  for (int64_t j = 0; j < kBlockKeys; ++j) {
    // A short block scores its last key again rather than read beyond it.
    block.keys[j] = keys + smaller(first + j, call.args->key_count - 1) * call.key_bytes;
  }
  block.is_folded = begin_folding(call.query, block.keys, block.folded);
}

KVASIR_INLINE void unpack_block(const ScoreCall& call, KeyBlock& block) {
  if (!block.is_folded) return;
  for (int64_t j = 0; j < kBlockKeys; ++j) unpack_key(call.args->format.dim, j, block.folded);
}

// `next`: nullptr, or a block that is to be unpacked.
KVASIR_INLINE FourFloats score_block(const ScoreCall& call, const KeyBlock& block, KeyBlock* next) {
  if (block.is_folded) {
    FoldedKeys* unpacked_between = next != nullptr && next->is_folded ? &next->folded : nullptr;
    return score_folded_block(call.query, block.folded, unpacked_between);
  }
  if (next != nullptr) unpack_block(call, *next);
  return call.score_keys(*call.args, block.keys);
}

void index_score(const IndexScoreArgs& args) {
  if (args.key_count == 0) return;
  const ScoreCall call = {.args = &args,
                          .key_bytes = args.format.bytes(),
                          .query = folded_query(args),
                          .score_keys = find_score_keys(args.format.codec)};
  KeyBlock blocks[2];
  KeyBlock* block = &blocks[0];
  KeyBlock* next = &blocks[1];
  begin_block(call, 0, *block);
  unpack_block(call, *block);
  for (int64_t first = 0; first < args.key_count; first += kBlockKeys) {
    const int64_t count = smaller(kBlockKeys, args.key_count - first);
    if (first + count == args.key_count) next = nullptr;
    if (next != nullptr) begin_block(call, first + kBlockKeys, *next);
    if (args.keys_ahead != nullptr) {
      fetch_ahead(args.keys_ahead + first * call.key_bytes, count * call.key_bytes);
    }
    const FourFloats scores = score_block(call, *block, next);
    if (count == kBlockKeys) {
      store_four(args.scores + first, scores);
    } else {
      float first_scores[kBlockKeys];
      store_four(first_scores, scores);
      for (int64_t j = 0; j < count; ++j) args.scores[first + j] = first_scores[j];
    }
    KeyBlock* const done = block;
    block = next;
    next = done;
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
