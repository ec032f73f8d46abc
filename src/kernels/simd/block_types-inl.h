// The decoders of block types (numeric/blocks/block_type.h) in vectors, 32 columns at a time.
// Included once per instruction set.
//
// A number is scale * code + offset, each step rounded, as in the plain decoders: it has their
// bits. Scales and offsets of a run of columns are computed first, for up to kDotCols columns.
//
// What a type says of itself:
//   kDtype kItems kBytes            of a block
//   kRunCols                        columns that share a scale
//   kHasOffset kStep kOffsetAt      of run r: scales[kStep * r], and kOffsetAt after it the offset
//   load_scales                     from so many blocks of a row; or take_scales finish_scales
//   codes(block, group)             of 32 columns: signed bytes, or, where there is
//   kValues                         a table of what nibbles mean, bytes whose low half counts

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kGroupCols = 32;
constexpr int64_t kRunColsMin = 16;
constexpr int64_t kRunsMax = kDotCols / kRunColsMin;
constexpr int64_t kScaleFloats = 2 * kRunsMax;

constexpr int8_t kWholeNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr int8_t kAroundZero[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
constexpr int8_t kUneven[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};
constexpr int8_t kDoubledFp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// ---- scales

// What a row's scales are made of later: reading them is left to moments when the vector units are
// busy.
struct TakenScales {
  alignas(64) uint8_t halves[4 * kDotCols / kGroupCols];
};

// Blocks of 32 that begin with an f16 scale and, if they have one, an f16 offset.
template <int64_t kBlockBytes, bool kOffsets>
struct HalfScales {
  static constexpr int64_t kItems = 32;
  static constexpr int64_t kBytes = kBlockBytes;
  static constexpr int64_t kRunCols = 32;
  static constexpr bool kHasOffset = kOffsets;
  static constexpr int64_t kStep = kOffsets ? 2 : 1;
  static constexpr int64_t kOffsetAt = 1;

  // Takes the halves of block `i` of kRows rows, `stride` bytes apart.
  template <int kRows>
  static KVASIR_INLINE void take_scales(const uint8_t* blocks, int64_t stride, int64_t i,
                                        TakenScales (&taken)[kRows]) {
    constexpr int64_t kWidth = 2 * kStep;
    KVASIR_UNROLL
    for (int64_t r = 0; r < kRows; ++r)
      __builtin_memcpy(taken[r].halves + i * kWidth, blocks + i * kBytes + r * stride, kWidth);
  }

  static KVASIR_INLINE void finish_scales(const TakenScales& taken, int64_t count, float* scales) {
    for (int64_t i = 0; i < count * kStep; i += kLanes)
      store(scales + i, load_f16(taken.halves + 2 * i));
  }
};

// Blocks of 256 with 256 / kRunColumns runs.
template <int64_t kBlockBytes, int64_t kRunColumns, bool kOffsets>
struct WideBlock {
  static constexpr int64_t kItems = 256;
  static constexpr int64_t kBytes = kBlockBytes;
  static constexpr int64_t kRunCols = kRunColumns;
  static constexpr bool kHasOffset = kOffsets;
  static constexpr int64_t kStep = 1;
  static constexpr int64_t kOffsetAt = kRunsMax;
  static constexpr int64_t kRuns = kItems / kRunCols;
};

// Six-bit scales and minima of eight groups.
template <int64_t kBlockBytes>
struct SixBitScales : WideBlock<kBlockBytes, 32, true> {
  using Base = WideBlock<kBlockBytes, 32, true>;

  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i, blocks += kBlockBytes, scales += Base::kRuns) {
      constexpr uint32_t kSixBits = 0x3f3f3f3f;
      constexpr uint32_t kFourBits = 0x0f0f0f0f;
      constexpr uint32_t kTwoBits = 0x03030303;
      const auto first = load_value<uint32_t>(blocks + 4);
      const auto second = load_value<uint32_t>(blocks + 8);
      const auto third = load_value<uint32_t>(blocks + 12);
      const uint32_t last_values = (third & kFourBits) | ((first >> 6) & kTwoBits) << 4;
      const uint32_t last_minima = ((third >> 4) & kFourBits) | ((second >> 6) & kTwoBits) << 4;
      store_scaled_bytes(scales, (first & kSixBits) | uint64_t{last_values} << 32, 0,
                         f16_at(blocks));
      store_scaled_bytes(scales + Base::kOffsetAt,
                         (second & kSixBits) | uint64_t{last_minima} << 32, 0, -f16_at(blocks + 2));
    }
  }
};

// ---- codes

// 256 two-bit numbers: 128 share 32 bytes.
KVASIR_INLINE Bytes load_crumbs(const uint8_t* p, int64_t group) {
  const Bytes crumbs = shift_bytes_right(load_thirty_two(p + 32 * (group / 4)), 2 * (group % 4));
  return and_bytes(crumbs, broadcast_byte(3));
}

// 256 nibbles, 64 of which share 32 bytes. The upper halves of the bytes are anything.
KVASIR_INLINE Bytes load_wide_nibbles(const uint8_t* p, int64_t group) {
  return shift_bytes_right(load_thirty_two(p + 32 * (group / 2)), 4 * (group % 2));
}

// 256 single bits, 8 of which share a byte; each moved to place `bit`.
KVASIR_INLINE Bytes load_wide_bits(const uint8_t* p, int64_t group, int bit) {
  const Bytes bits = shift_bytes_right(load_thirty_two(p), group);
  return shift_bytes_left(and_bytes(bits, broadcast_byte(1)), bit);
}

KVASIR_INLINE Bytes low_nibbles(Bytes bytes) { return and_bytes(bytes, broadcast_byte(15)); }

// ---- types

struct Q4_0 : HalfScales<18, false> {
  static constexpr Dtype kDtype = Dtype::kQ4_0;
  static constexpr const int8_t* kValues = kAroundZero;
  static KVASIR_INLINE SplitNibbles codes(const uint8_t* block, int64_t) { return {block + 2}; }
};

struct Q4_1 : HalfScales<20, true> {
  static constexpr Dtype kDtype = Dtype::kQ4_1;
  static constexpr const int8_t* kValues = kWholeNumbers;
  static KVASIR_INLINE SplitNibbles codes(const uint8_t* block, int64_t) { return {block + 4}; }
};

struct Q5_0 : HalfScales<22, false> {
  static constexpr Dtype kDtype = Dtype::kQ5_0;
  static constexpr const int8_t* kValues = nullptr;
  // Without the fifth bit the number is 16 lower.
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t) {
    const Bytes fifth = spread_bits(load_value<uint32_t>(block + 2));
    const Bytes lower = clear_bytes(broadcast_byte(0xf0), fifth);
    return or_bytes(low_nibbles(load_split_nibbles(block + 6)), lower);
  }
};

struct Q5_1 : HalfScales<24, true> {
  static constexpr Dtype kDtype = Dtype::kQ5_1;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t) {
    const Bytes fifth = spread_bits(load_value<uint32_t>(block + 4));
    return or_bytes(low_nibbles(load_split_nibbles(block + 8)),
                    and_bytes(fifth, broadcast_byte(16)));
  }
};

struct Q8_0 : HalfScales<34, false> {
  static constexpr Dtype kDtype = Dtype::kQ8_0;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t) {
    return load_thirty_two(block + 2);
  }
};

struct Q2K : WideBlock<84, 16, true> {
  static constexpr Dtype kDtype = Dtype::kQ2K;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i, blocks += kBytes, scales += kRuns) {
      for (int64_t half = 0; half < kRuns; half += 8) {
        constexpr uint64_t kFourBits = 0x0f0f0f0f0f0f0f0f;
        const auto pairs = load_value<uint64_t>(blocks + half);
        store_scaled_bytes(scales + half, pairs & kFourBits, 0, f16_at(blocks + 80));
        store_scaled_bytes(scales + kOffsetAt + half, (pairs >> 4) & kFourBits, 0,
                           -f16_at(blocks + 82));
      }
    }
  }
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t group) {
    return load_crumbs(block + 16, group);
  }
};

struct Q3K : WideBlock<110, 16, false> {
  static constexpr Dtype kDtype = Dtype::kQ3K;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i, blocks += kBytes, scales += kRuns) {
      constexpr uint64_t kFourBits = 0x0f0f0f0f0f0f0f0f;
      constexpr uint64_t kTwoBits = 0x0303030303030303;
      const auto pairs = load_value<uint64_t>(blocks + 96);
      const uint64_t fours = load_value<uint32_t>(blocks + 104);
      const uint64_t high = fours | (fours >> 2) << 32;
      const uint64_t first = (pairs & kFourBits) | (high & kTwoBits) << 4;
      const uint64_t last = ((pairs >> 4) & kFourBits) | ((high >> 4) & kTwoBits) << 4;
      store_scaled_bytes(scales, first, -32, f16_at(blocks + 108));
      store_scaled_bytes(scales + 8, last, -32, f16_at(blocks + 108));
    }
  }
  // Without the third bit the number is 4 lower.
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t group) {
    const Bytes third = load_wide_bits(block, group, 2);
    return sub_bytes(or_bytes(load_crumbs(block + 32, group), third), broadcast_byte(4));
  }
};

struct Q4K : SixBitScales<144> {
  static constexpr Dtype kDtype = Dtype::kQ4K;
  static constexpr const int8_t* kValues = kWholeNumbers;
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t group) {
    return load_wide_nibbles(block + 16, group);
  }
};

struct Q5K : SixBitScales<176> {
  static constexpr Dtype kDtype = Dtype::kQ5K;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t group) {
    return or_bytes(low_nibbles(load_wide_nibbles(block + 48, group)),
                    load_wide_bits(block + 16, group, 4));
  }
};

struct Q6K : WideBlock<210, 16, false> {
  static constexpr Dtype kDtype = Dtype::kQ6K;
  static constexpr const int8_t* kValues = nullptr;
  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i, blocks += kBytes, scales += kRuns) {
      for (int64_t half = 0; half < kRuns; half += 8) {
        constexpr uint64_t kSigns = 0x8080808080808080;
        const uint64_t raised = load_value<uint64_t>(blocks + 192 + half) ^ kSigns;
        store_scaled_bytes(scales + half, raised, -128, f16_at(blocks + 208));
      }
    }
  }
  static KVASIR_INLINE Bytes codes(const uint8_t* block, int64_t group) {
    const Bytes pairs = load_thirty_two(block + 64 * (group / 4) + 32 * (group % 2));
    const Bytes low = low_nibbles(shift_bytes_right(pairs, 4 * (group / 2 % 2)));
    const Bytes high = shift_bytes_left(load_crumbs(block + 128, group), 4);
    return sub_bytes(or_bytes(low, high), broadcast_byte(32));
  }
};

struct Iq4Nl : HalfScales<18, false> {
  static constexpr Dtype kDtype = Dtype::kIq4Nl;
  static constexpr const int8_t* kValues = kUneven;
  static KVASIR_INLINE SplitNibbles codes(const uint8_t* block, int64_t) { return {block + 2}; }
};

struct Iq4Xs : WideBlock<136, 32, false> {
  static constexpr Dtype kDtype = Dtype::kIq4Xs;
  static constexpr const int8_t* kValues = kUneven;
  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i, blocks += kBytes, scales += kRuns) {
      const int high = load_value<uint16_t>(blocks + 2);
      uint64_t values = 0;
      for (int run = 0; run < kRuns; ++run) {
        const int low = blocks[4 + run / 2] >> (4 * (run % 2)) & 15;
        values |= static_cast<uint64_t>(low | (high >> (2 * run) & 3) << 4) << (8 * run);
      }
      store_scaled_bytes(scales, values, -32, f16_at(blocks));
    }
  }
  static KVASIR_INLINE SplitNibbles codes(const uint8_t* block, int64_t group) {
    return {block + 8 + 16 * group};
  }
};

struct Mxfp4 : HalfScales<17, false> {
  static constexpr Dtype kDtype = Dtype::kMxfp4;
  static constexpr const int8_t* kValues = kDoubledFp4;
  static KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t count, float* scales) {
    for (int64_t i = 0; i < count; ++i) scales[i] = kScaleTables.half_ue8m0[blocks[i * kBytes]];
  }
  static KVASIR_INLINE SplitNibbles codes(const uint8_t* block, int64_t) { return {block + 1}; }
};

// ---- numbers

template <class Type>
KVASIR_INLINE Vec scaled(Vec codes, const float* run_scale) {
  if constexpr (Type::kHasOffset)
    return broadcast(run_scale[0]) * codes + broadcast(run_scale[Type::kOffsetAt]);
  return broadcast(run_scale[0]) * codes;
}

template <class Type, int kRows>
KVASIR_INLINE void take_scales(const uint8_t* blocks, int64_t stride, int64_t i,
                               TakenScales (&taken)[kRows]) {
  if constexpr (!(requires { &Type::load_scales; })) Type::take_scales(blocks, stride, i, taken);
}

// Scales of kRows rows, whose blocks [0, count) were taken.
template <class Type, int kRows>
KVASIR_INLINE void load_scales(const uint8_t* blocks, int64_t stride, int64_t count,
                               const TakenScales (&taken)[kRows], float (*scales)[kScaleFloats]) {
  for (int64_t r = 0; r < kRows; ++r) {
    if constexpr (requires { &Type::load_scales; }) {
      Type::load_scales(blocks + r * stride, count, scales[r]);
    } else {
      Type::finish_scales(taken[r], count, scales[r]);
    }
  }
}

using GroupVecs = Vec[kGroupCols / kLanes];

// The numbers of 32 columns. scales: from the first of these columns on.
template <class Type>
KVASIR_INLINE void decode_group(const uint8_t* block, int64_t group, const float* scales,
                                GroupVecs& out) {
  const auto codes = Type::codes(block, group);
  if constexpr (Type::kValues != nullptr) {
    const auto scale = [&](Vec v) KVASIR_LAMBDA_INLINE { return scaled<Type>(v, scales); };
    nibbles_to_floats(codes, Type::kValues, scale, out);
  } else {
    signed_to_floats(codes, out);
    KVASIR_UNROLL
    for (int64_t i = 0; i < kGroupCols / kLanes; ++i)
      out[i] = scaled<Type>(out[i], scales + i * kLanes / Type::kRunCols * Type::kStep);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
