// A block of rows of signed bytes, each with a scale behind it (kernels/codecs/int8_token.cc),
// multiplied as they lie. Included once per instruction set.
//
// A score is scale_t sum_c q_c code_tc, an output sum_t (w_t scale_t) code_tc: integers stand for
// q_c, and for w_t scale_t.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// Vectors of quads, four bytes for each lane, that are loaded together.
constexpr int kQuadVecs = 4;
constexpr int64_t kQuadBytes = kQuadVecs * 4;

struct SignedRows {
  const uint8_t* codes;
  int64_t width;
  int64_t stride;  // in bytes
  LinesAhead ahead;
  uint8_t scales[2 * kCodedRows];  // half floats

  SignedRows(const std::byte* coded, int64_t row_width, const std::byte* coded_ahead)
      : codes(reinterpret_cast<const uint8_t*>(coded)),
        width(row_width),
        stride(row_width + 2),
        ahead(coded_ahead, kCodedRows * stride) {
    for (int64_t r = 0; r < kCodedRows; ++r)
      store_value(scales + 2 * r, load_value<uint16_t>(codes + r * stride + width));
  }
  KVASIR_INLINE const uint8_t* row(int64_t r) const { return codes + r * stride; }
  // As many lines as a step reads: sixteen bytes of sixteen rows, or as much of other shape.
  KVASIR_INLINE void fetch_ahead() { ahead.fetch(kLanes * (kQuadBytes + 2) / kCacheLineBytes + 1); }
};

// Adds the products of places [4 four, 4 four + 4) of the depth.
template <int kQueries, int kVecs>
KVASIR_INLINE void add_signed_quads(const VecInt (&quads)[kVecs], int64_t four,
                                    const TileIntegers<kQueries>& integers,
                                    VecInt (&sums)[kQueries][kVecs]) {
  VecInt even[kVecs];
  VecInt odd[kVecs];
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    even[v] = even_signed_bytes(quads[v]);
    odd[v] = odd_signed_bytes(quads[v]);
  }
  // Of each eight places the halves are 0 2, 4 6, 1 3, 5 7.
  const uint8_t* halves = integers.halves + 16 * (four / 2) + 4 * (four % 2);
  add_pairs(even, halves, integers.stride, sums);
  add_pairs(odd, halves + 8, integers.stride, sums);
}

// kVecs vectors of rows -> out [kQueries, stride], times the rows' scales.
template <int kQueries, int kVecs>
KVASIR_INLINE void dot_signed_rows(SignedRows& rows, int64_t first,
                                   const TileIntegers<kQueries>& integers, float* out,
                                   int64_t stride) {
  VecInt sums[kQueries][kVecs];
  clear_sums(sums);
  for (int64_t c = 0; c < rows.width; c += kQuadBytes) {
    VecInt quads[kQuadVecs][kVecs];
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      rows.fetch_ahead();
      VecInt of_rows[kQuadVecs];
      load_row_quads(rows.row(first + v * kLanes) + c, rows.stride, of_rows);
      KVASIR_UNROLL
      for (int i = 0; i < kQuadVecs; ++i) quads[i][v] = of_rows[i];
    }
    KVASIR_UNROLL
    for (int i = 0; i < kQuadVecs; ++i) add_signed_quads(quads[i], c / 4 + i, integers, sums);
  }
  KVASIR_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int64_t row = first + v * kLanes;
    const Vec scale = load_f16(rows.scales + 2 * row);
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q)
      store(out + q * stride + row, to_float(sums[q][v]) * broadcast(integers.step[q]) * scale);
  }
}

// Channels [first, first + count), at most four vectors of them -> out [kQueries, width]. Of each
// the sum over the rows times the integers.
template <int kQueries>
KVASIR_INLINE void sum_signed_rows(SignedRows& rows, int64_t first, int64_t count,
                                   const TileIntegers<kQueries>& integers, float* out) {
  VecInt sums[kQueries][kQuadVecs];
  clear_sums(sums);
  for (int64_t four = 0; four < kCodedRows / 4; ++four) {
    VecInt quads[kQuadVecs];
    rows.fetch_ahead();
    load_channel_quads(rows.row(4 * four) + first, rows.stride, count, quads);
    add_signed_quads(quads, four, integers, sums);
  }
  KVASIR_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    transpose_parts(sums[q]);
    KVASIR_UNROLL
    for (int v = 0; v < kQuadVecs; ++v) {
      if (v * kLanes >= count) break;
      store(out + q * rows.width + first + v * kLanes,
            to_float(sums[q][v]) * broadcast(integers.step[q]));
    }
  }
}

// What channels of keys have: nothing.
struct PlainLanes {
  KVASIR_INLINE Vec scaled(Vec v) const { return v; }
  KVASIR_INLINE Vec add_offset(Vec, Vec sum) const { return sum; }
};

// What tokens of values have.
struct ScaledLanes {
  Vec scale;

  KVASIR_INLINE Vec scaled(Vec v) const { return v * scale; }
  KVASIR_INLINE Vec add_offset(Vec, Vec sum) const { return sum; }
};

struct Int8Block {
  int64_t key_width;
  int64_t value_width;
  SignedRows keys;
  SignedRows values;

  explicit Int8Block(const AttendCodedArgs& args)
      : key_width(args.keys.shape.width),
        value_width(args.values.shape.width),
        keys(args.key_codes, key_width, args.key_codes_ahead),
        values(args.value_codes, value_width, args.value_codes_ahead) {}

  KVASIR_INLINE PlainLanes channels(int64_t /*first*/) const { return {}; }
  KVASIR_INLINE ScaledLanes tokens(int64_t first) const {
    return {load_f16(values.scales + 2 * first)};
  }
  KVASIR_INLINE void fetch_ahead() {}  // the rows do, while they are read
  template <int kQueries>
  KVASIR_INLINE void dot_keys(const TileIntegers<kQueries>& integers, const float* /*offsets*/,
                              float* out, int64_t stride) {
    for (int64_t row = 0; row < kCodedRows; row += kCodeVecs * kLanes)
      dot_signed_rows<kQueries, kCodeVecs>(keys, row, integers, out, stride);
  }
  template <int kQueries>
  KVASIR_INLINE void sum_values(const TileIntegers<kQueries>& integers, const float* /*offsets*/,
                                float* out) {
    constexpr int64_t kChannels = kQuadVecs * kLanes;
    for (int64_t c = 0; c < value_width; c += kChannels)
      sum_signed_rows(values, c, smaller(kChannels, value_width - c), integers, out);
  }
};

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
