// index_score computes the scores of one token over many keys. Included once per instruction set,
// behind index_query-inl.h.
//
// In native precision it sums a block of keys whole where the scales allow it
// (index_score_folded-inl.h), else group by group. The other precisions keep the query as
// [dims][heads] float32.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

void encode_index_query(const RowFormat& format, const float* q, int64_t head_count,
                        std::byte* query) {
  auto* bytes = reinterpret_cast<uint8_t*>(query);
  if (format.codec == CodecId::kFp4) {
    encode_native_query(format, q, head_count, bytes);
    return fold_query(format, head_count, bytes);
  }
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
  constexpr uint8_t kValues[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};
  if (code_bytes >= kGroupDims / 2) return look_up_nibbles(codes, kValues, target);
  uint8_t copy[kGroupDims / 2] = {};
  for (int64_t i = 0; i < code_bytes; ++i) copy[i] = codes[i];
  look_up_nibbles(copy, kValues, target);
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
      const uint32_t word = load_value<uint32_t>(unpacked[j] + 4 * quad);
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
  if (args.format.codec == CodecId::kBf16) return decode_bf16_run(key + 2 * begin, size, target);
  if (args.format.codec == CodecId::kF16) return decode_f16_run(key + 2 * begin, size, target);
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
    if (args.format.codec == CodecId::kFp4) {
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

// Vectors of heads that one pass holds.
constexpr int kPassVecs = kLanes == 16 ? 4 : 2;

template <int kVecs>
KVASIR_INLINE void score_block_heads(const ScorePass& pass, const uint8_t* const* keys,
                                     Vec* totals) {
  constexpr int64_t kKeys = kVecs == 1 ? kBlockKeys : 2;
  for (int64_t j = 0; j < kBlockKeys; j += kKeys)
    score_heads<kKeys, kVecs>(pass, keys + j, totals + j);
}

KVASIR_INLINE FourFloats score_block_by_groups(const IndexScoreArgs& args,
                                               const uint8_t* const* keys, int64_t key_bytes) {
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
  return reduce_add_4(totals[0], totals[1], totals[2], totals[3]);
}

// ---- the blocks of a call, one after the other

// What all blocks of a call need.
struct ScoreCall {
  const IndexScoreArgs* args;
  int64_t key_bytes;
  FoldedQuery query;
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
  return score_block_by_groups(*call.args, block.keys, call.key_bytes);
}

void index_score(const IndexScoreArgs& args) {
  if (args.key_count == 0) return;
  const ScoreCall call = {
      .args = &args, .key_bytes = args.format.bytes(), .query = folded_query(args)};
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
