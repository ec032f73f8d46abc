// encode_index_query writes the index query as index_score wants it. Included once per instruction
// set.
//
// Lanes are heads. Twice an FP4 value is a small integer. So where keys are coded in few bits each
// group of 32 dims is an exact integer dot product, and only its scales make it a float:
//   query: for each group [8 quads of dims][heads][4] signed bytes, [heads] offsets (int32),
//          [heads] factors (float32), heads padded with zeros to whole vectors; behind them the
//          same with one factor per head where its scales allow it (index_score_folded-inl.h);
//   key:   unpacked to unsigned bytes 16 + 2 * value; the offset is -16 times the query's sum. The
//          value is an FP4 number or a code of 0 to 3.
// A quad holds four dims in order; for FP4 four even or four odd ones, as the nibbles lie in the
// key's bytes.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kGroupDims = kIndexGroupSize;
constexpr int64_t kGroupQuads = kGroupDims / 4;
constexpr int32_t kKeyOffset = 16;
// Keys that share a load of the query.
constexpr int64_t kBlockKeys = 4;

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

// Whether keys of that codec are multiplied as bytes.
KVASIR_INLINE bool has_byte_keys(CodecId codec) {
  return codec == CodecId::kFp4 || codec == CodecId::kInt2Keys;
}

// The dim within its group that byte `place` of quad `quad` stands for.
KVASIR_INLINE int64_t dim_of_place(CodecId codec, int64_t quad, int64_t place) {
  return codec == CodecId::kFp4 ? 8 * (quad % 4) + 2 * place + quad / 4 : 4 * quad + place;
}

// ---- the query

KVASIR_INLINE void clear_bytes(uint8_t* target, int64_t size) {
  for (int64_t i = 0; i < size; ++i) target[i] = 0;
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
void encode_query_group(CodecId codec, const float* q, int64_t size, const QueryLayout& layout,
                        int64_t head, uint8_t* group) {
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
      const int32_t value = doubled[dim_of_place(codec, quad, place)];
      sum += value;
      word |= static_cast<uint32_t>(value & 255) << (8 * place);
    }
    store_value(group + quad * layout.quad_bytes + 4 * head, word);
  }
  store_value<int32_t>(group + layout.offsets + 4 * head, -kKeyOffset * sum);
  // Both integers are doubled, hence the quarter.
  const Vec factor = broadcast(0.25f * kScaleTables.ue8m0[scale]);
  store(reinterpret_cast<float*>(group + layout.factors + 4 * head), factor, first_lanes(1));
}

void encode_native_query(const RowFormat& format, const float* q, int64_t head_count,
                         uint8_t* query) {
  const QueryLayout layout = native_query_layout(head_count);
  for (int64_t begin = 0; begin < format.dim; begin += kGroupDims) {
    uint8_t* group = query + begin / kGroupDims * layout.group_bytes;
    clear_bytes(group, layout.group_bytes);
    const int64_t size = smaller(kGroupDims, format.dim - begin);
    for (int64_t h = 0; h < head_count; ++h)
      encode_query_group(format.codec, q + h * format.dim + begin, size, layout, h, group);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
