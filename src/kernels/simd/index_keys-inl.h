// How index keys of each codec are summed group by group, a group of dims at a time. Included once
// per instruction set, between index_query-inl.h and index_score-inl.h.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// What a pass over the groups knows.
struct ScorePass {
  const IndexScoreArgs* args;
  int64_t head;  // the first of this pass
};

// ---- keys that are multiplied as bytes

// 16 code bytes -> 32 unsigned bytes, the even dims first.
struct Fp4Keys {
  static constexpr bool kHasMinima = false;
  static KVASIR_INLINE int64_t code_bytes(int64_t dim) { return (dim + 1) / 2; }

  static KVASIR_INLINE void unpack(const uint8_t* key, int64_t dim, int64_t group,
                                   uint8_t* target) {
    constexpr uint8_t kValues[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};
    constexpr int64_t kBytes = kGroupDims / 2;
    const uint8_t* codes = key + group * kBytes;
    const int64_t left = code_bytes(dim) - group * kBytes;
    if (left >= kBytes) return look_up_nibbles(codes, kValues, target);
    uint8_t copy[kBytes] = {};
    for (int64_t i = 0; i < left; ++i) copy[i] = codes[i];
    look_up_nibbles(copy, kValues, target);
  }
  static KVASIR_INLINE Vec scale(const uint8_t* key, int64_t dim, int64_t group) {
    return broadcast(kScaleTables.ue8m0[key[code_bytes(dim) + group]]);
  }
};

// As codecs/int_token.cc lays codes, scales and minima out.
struct Int2Keys {
  static constexpr bool kHasMinima = true;
  static constexpr int64_t kRunDims = 4 * kPackedRunBytes;
  static KVASIR_INLINE int64_t code_bytes(int64_t dim) { return (dim + 3) / 4; }

  static KVASIR_INLINE void unpack(const uint8_t* key, int64_t dim, int64_t group,
                                   uint8_t* target) {
    const int64_t begin = group * kGroupDims;
    const int64_t run = begin / kRunDims;
    if ((run + 1) * kRunDims <= dim)
      return spread_two_bits(key + run * kPackedRunBytes, begin % kRunDims / kPackedRunBytes * 2,
                             target);
    for (int64_t i = 0; i < kGroupDims; ++i) {
      const int64_t at = begin + i;
      const int code = at < dim ? key[at / 4] >> (at % 4 * 2) & 3 : 0;
      target[i] = static_cast<uint8_t>(kKeyOffset + 2 * code);
    }
  }
  static KVASIR_INLINE Vec scale(const uint8_t* key, int64_t dim, int64_t group) {
    return broadcast(f16_at(key + code_bytes(dim) + 2 * group));
  }
  static KVASIR_INLINE Vec minimum(const uint8_t* key, int64_t dim, int64_t group) {
    const int64_t group_count = (dim + kGroupDims - 1) / kGroupDims;
    return broadcast(f16_at(key + code_bytes(dim) + 2 * (group_count + group)));
  }
};

template <class Keys>
struct ByteKeys : Keys {
  // kKeys keys by kVecs vectors of heads. Where keys have minima, these come behind the codes.
  template <int kKeys, int kVecs>
  static KVASIR_INLINE void add_group(const ScorePass& pass, const uint8_t* const* keys,
                                      int64_t group_index, Vec (&products)[kKeys][kVecs]) {
    const int64_t dim = pass.args->format.dim;
    const QueryLayout layout = native_query_layout(pass.args->head_count);
    const uint8_t* group = reinterpret_cast<const uint8_t*>(pass.args->query) +
                           group_index * layout.group_bytes + 4 * pass.head;
    uint8_t unpacked[kKeys][kGroupDims];
    ByteSum sums[kKeys][kVecs];
    KVASIR_UNROLL
    for (int j = 0; j < kKeys; ++j) {
      Keys::unpack(keys[j], dim, group_index, unpacked[j]);
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
      const Vec key_scale = Keys::scale(keys[j], dim, group_index);
      KVASIR_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const uint8_t* offsets = group + layout.offsets + 4 * v * kLanes;
        const Vec sum = end_byte_sum(sums[j][v], offsets);
        const auto* factors =
            reinterpret_cast<const float*>(group + layout.factors + 4 * v * kLanes);
        products[j][v] = fma(sum, load(factors) * key_scale, products[j][v]);
        if constexpr (Keys::kHasMinima) {
          // Offsets are -16 times the query's doubled sum, and factors a quarter of its scale.
          const Vec query_sum =
              to_float(load_bytes(offsets)) * (load(factors) * broadcast(-0.125f));
          products[j][v] = fma(query_sum, Keys::minimum(keys[j], dim, group_index), products[j][v]);
        }
      }
    }
  }
};

// ---- keys that are floats

KVASIR_INLINE void widen_key_group(const IndexScoreArgs& args, const uint8_t* key, int64_t begin,
                                   int64_t size, float* target) {
  if (args.format.codec == CodecId::kBf16) return decode_bf16_run(key + 2 * begin, size, target);
  if (args.format.codec == CodecId::kF16) return decode_f16_run(key + 2 * begin, size, target);
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(target + i, load(reinterpret_cast<const float*>(key + 4 * (begin + i)), mask), mask);
  });
}

struct FloatKeys {
  template <int kKeys, int kVecs>
  static KVASIR_INLINE void add_group(const ScorePass& pass, const uint8_t* const* keys,
                                      int64_t group_index, Vec (&products)[kKeys][kVecs]) {
    const int64_t heads = round_up(pass.args->head_count, kLanesMax);
    const int64_t begin = group_index * kGroupDims;
    const int64_t size = smaller(kGroupDims, pass.args->format.dim - begin);
    float widened[kKeys][kGroupDims];
    for (int j = 0; j < kKeys; ++j) widen_key_group(*pass.args, keys[j], begin, size, widened[j]);
    for (int64_t i = 0; i < size; ++i) {
      const auto* query =
          reinterpret_cast<const float*>(reinterpret_cast<const uint8_t*>(pass.args->query) +
                                         4 * ((begin + i) * heads + pass.head));
      KVASIR_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const Vec q = load(query + v * kLanes);
        KVASIR_UNROLL
        for (int j = 0; j < kKeys; ++j)
          products[j][v] = fma(broadcast(widened[j][i]), q, products[j][v]);
      }
    }
  }
};

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
