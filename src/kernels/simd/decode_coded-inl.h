// Reading coded rows of a block, value for value like the scalar codecs (kernels/codecs/). Each
// loop here takes the widths that are whole runs of its packing; the scalar codec does for others.
// Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// Decodes all rows -> decoded [row_count, width]. False: not that width, nothing was done.
using DecodeCoded = bool (*)(const CodedRows& form, const uint8_t* coded, float* decoded);

// ---- bytes

bool decode_int8_token(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (width % kGroupCols != 0) return false;
  for (int64_t r = 0; r < form.row_count; ++r, coded += width + 2, decoded += width) {
    const Vec scale = broadcast(f16_at(coded + width));
    for (int64_t i = 0; i < width; i += kLanes)
      store(decoded + i, load_signed_bytes(coded + i) * scale);
  }
  return true;
}

// E4M3 codes of a row, one scale for all.
template <bool kHasScale>
bool decode_e4m3(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  const int64_t row_bytes = width + (kHasScale ? 2 : 0);
  if (width % kLanes != 0) return false;
  for (int64_t r = 0; r < form.row_count; ++r, coded += row_bytes, decoded += width) {
    const Vec scale = broadcast(kHasScale ? f16_at(coded + width) : 1.0f);
    for (int64_t i = 0; i < width; i += kLanes)
      store(decoded + i, load_fp8(coded + i) * broadcast(kFp8Factor) * scale);
  }
  return true;
}

// ---- blocks of GGUF

// Of 32 values. Scales are read where they lie: of a row of few blocks that takes less time than to
// gather them.
template <class Type>
bool decode_gguf_blocks(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (width % kGroupCols != 0) return false;
  const int64_t blocks = form.row_count * (width / kGroupCols);
  for (int64_t b = 0; b < blocks; ++b, coded += Type::kBytes, decoded += kGroupCols) {
    const float scales[2] = {f16_at(coded), Type::kHasOffset ? f16_at(coded + 2) : 0};
    GroupVecs values;
    decode_group<Type>(coded, 0, scales, values);
    KVASIR_UNROLL
    for (int64_t i = 0; i < kGroupCols / kLanes; ++i) store(decoded + i * kLanes, values[i]);
  }
  return true;
}

// ---- packed codes

// A scale and a minimum of each group along a row: code * scale + min.
template <int kBits, int64_t kGroupSize>
bool decode_int_token(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (!has_whole_runs<kBits>(width) || width % kGroupSize != 0) return false;
  const int64_t codes_bytes = kBits * width / 8;
  const int64_t groups = width / kGroupSize;
  constexpr bool kIsByGroup = kBits != 3 && kGroupSize * kBits % (8 * kPackedRunBytes) == 0;
  const auto take = [](Vec codes, Vec scale, Vec minimum, float* out)
                        KVASIR_LAMBDA_INLINE { store(out, codes * scale + minimum); };
  for (int64_t r = 0; r < form.row_count; ++r, coded += codes_bytes + 4 * groups) {
    const uint8_t* scales = coded + codes_bytes;
    if constexpr (kIsByGroup) {
      for (int64_t g = 0; g < groups; ++g) {
        const Vec scale = broadcast(f16_at(scales + 2 * g));
        const Vec minimum = broadcast(f16_at(scales + 2 * (groups + g)));
        for_each_code<kBits>(coded + g * kGroupSize * kBits / 8, kGroupSize,
                             [&](int64_t i, Vec codes) KVASIR_LAMBDA_INLINE {
                               take(codes, scale, minimum, decoded + g * kGroupSize + i);
                             });
      }
    } else {
      for_each_code<kBits>(coded, width, [&](int64_t i, Vec codes) KVASIR_LAMBDA_INLINE {
        const uint8_t* scale = scales + 2 * (i / kGroupSize);
        take(codes, broadcast(f16_at(scale)), broadcast(f16_at(scale + 2 * groups)), decoded + i);
      });
    }
    decoded += width;
  }
  return true;
}

// Entries of a table of floats, one scale for each row.
template <int kBits>
bool decode_entries(const CodedRows& form, const float* table, const uint8_t* coded,
                    float* decoded) {
  const int64_t width = form.shape.width;
  if (!has_whole_runs<kBits>(width)) return false;
  const int64_t codes_bytes = kBits * width / 8;
  for (int64_t r = 0; r < form.row_count; ++r, coded += codes_bytes + 2, decoded += width) {
    const Vec scale = broadcast(f16_at(coded + codes_bytes));
    for_each_index<kBits>(coded, width, [&](int64_t i, VecInt codes) KVASIR_LAMBDA_INLINE {
      store(decoded + i, look_up_sixteen(table, codes) * scale);
    });
  }
  return true;
}

template <int kBits>
bool decode_turbo(const CodedRows& form, const uint8_t* coded, float* decoded) {
  return decode_entries<kBits>(form, kScaleTables.turbo[kBits], coded, decoded);
}

// FP4 codes, a byte of scale for each group along a row.
template <int64_t kGroupSize, const float (ScaleTables::*kScaleOf)[256]>
bool decode_fp4_groups(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (!has_whole_runs<4>(width) || width % kGroupSize != 0) return false;
  const int64_t row_bytes = width / 2 + width / kGroupSize;
  for (int64_t r = 0; r < form.row_count; ++r, coded += row_bytes, decoded += width) {
    for_each_index<4>(coded, width, [&](int64_t i, VecInt codes) KVASIR_LAMBDA_INLINE {
      const float scale = (kScaleTables.*kScaleOf)[coded[width / 2 + i / kGroupSize]];
      store(decoded + i, look_up_sixteen(kScaleTables.fp4[kUnitScale], codes) * broadcast(scale));
    });
  }
  return true;
}

// ---- rows that are coded together

// Wider rows are left to the scalar codecs.
constexpr int64_t kChannelsMax = 1024;

// f16 scales of channels, as floats.
struct ChannelFloats {
  alignas(64) float values[kChannelsMax];

  KVASIR_INLINE void take(const uint8_t* halves, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes) store(values + i, load_f16(halves + 2 * i));
  }
};

// (code * scale + min), where both are those of a channel, of kRows rows together.
template <int kBits, int64_t kRows>
bool decode_int_channel(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (!has_whole_runs<kBits>(width) || width > kChannelsMax) return false;
  const int64_t codes_bytes = kBits * width / 8;
  ChannelFloats scale;
  ChannelFloats minimum;
  for (int64_t group = 0; group < form.row_count; group += kRows) {
    const uint8_t* halves = coded + kRows * codes_bytes;
    scale.take(halves, width);
    minimum.take(halves + 2 * width, width);
    for (int64_t r = 0; r < kRows; ++r, coded += codes_bytes, decoded += width) {
      for_each_code<kBits>(coded, width, [&](int64_t i, Vec codes) KVASIR_LAMBDA_INLINE {
        store(decoded + i, codes * load(scale.values + i) + load(minimum.values + i));
      });
    }
    coded += 4 * width;
  }
  return true;
}

// KVarN's rows of two and three bits; those of four lie in tiles (attend_coded).
template <int kBits>
bool decode_kvarn_keys(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  const int64_t rows = form.row_count;
  if (!has_whole_runs<kBits>(width) || width > kChannelsMax) return false;
  const int64_t codes_bytes = kBits * width / 8;
  const uint8_t* halves = coded + rows * codes_bytes;
  ChannelFloats scale;
  ChannelFloats minimum;
  scale.take(halves, width);
  minimum.take(halves + 2 * width, width);
  for (int64_t r = 0; r < rows; ++r, coded += codes_bytes, decoded += width) {
    const Vec factor = broadcast(f16_at(halves + 4 * width + 2 * r));
    for_each_code<kBits>(coded, width, [&](int64_t i, Vec codes) KVASIR_LAMBDA_INLINE {
      store(decoded + i, (codes * load(scale.values + i) + load(minimum.values + i)) * factor);
    });
  }
  return true;
}

template <int kBits>
bool decode_kvarn_values(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  const int64_t rows = form.row_count;
  if (!has_whole_runs<kBits>(width) || width > kChannelsMax) return false;
  const int64_t codes_bytes = kBits * width / 8;
  const uint8_t* halves = coded + rows * codes_bytes;
  ChannelFloats factor;
  factor.take(halves + 4 * rows, width);
  for (int64_t r = 0; r < rows; ++r, coded += codes_bytes, decoded += width) {
    const Vec scale = broadcast(f16_at(halves + 2 * r));
    const Vec minimum = broadcast(f16_at(halves + 2 * (rows + r)));
    for_each_code<kBits>(coded, width, [&](int64_t i, Vec codes) KVASIR_LAMBDA_INLINE {
      store(decoded + i, (codes * scale + minimum) * load(factor.values + i));
    });
  }
  return true;
}

// Codes of KVarN's keys in tiles: 16 rows and 8 channels share 64 bytes.
bool decode_kvarn_key_tiles(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (width % kTileCodeLanes != 0 || width > kChannelsMax || form.row_count != kCodedRows)
    return false;
  const uint8_t* halves = coded + kCodedRows * width / 2;
  ChannelFloats scale;
  ChannelFloats minimum;
  scale.take(halves, width);
  minimum.take(halves + 2 * width, width);
  alignas(64) uint8_t codes[kTileCodeLanes][kChannelsMax];
  for (int64_t r = 0; r < kCodedRows; r += kTileCodeLanes) {
    for (int64_t c = 0; c < width; c += kTileCodeDepth, coded += 4 * kTileCodeLanes) {
      for (int64_t lane = 0; lane < kTileCodeLanes; ++lane) {
        const auto pairs = load_value<uint32_t>(coded + 4 * lane);
        store_value(codes[lane] + c, pairs & 0x0f0f0f0fu);
        store_value(codes[lane] + c + 4, pairs >> 4 & 0x0f0f0f0fu);
      }
    }
    for (int64_t lane = 0; lane < kTileCodeLanes; ++lane, decoded += width) {
      const Vec factor = broadcast(f16_at(halves + 4 * width + 2 * (r + lane)));
      for (int64_t c = 0; c < width; c += kLanes) {
        const Vec code = to_float(load_byte_lanes(codes[lane] + c));
        store(decoded + c, (code * load(scale.values + c) + load(minimum.values + c)) * factor);
      }
    }
  }
  return true;
}

// Signed bytes, a scale for each channel.
bool decode_int8_channel(const CodedRows& form, const uint8_t* coded, float* decoded) {
  const int64_t width = form.shape.width;
  if (width % kLanes != 0 || width > kChannelsMax) return false;
  ChannelFloats scale;
  scale.take(coded + form.row_count * width, width);
  for (int64_t r = 0; r < form.row_count; ++r, coded += width, decoded += width) {
    for (int64_t i = 0; i < width; i += kLanes)
      store(decoded + i, load_signed_bytes(coded + i) * load(scale.values + i));
  }
  return true;
}

// ---- which codec

KVASIR_INLINE DecodeCoded find_decoder(CodecId codec) {
  switch (codec) {
    case CodecId::kInt8Token:
      return decode_int8_token;
    case CodecId::kE4m3Token:
      return decode_e4m3<true>;
    case CodecId::kE4m3One:
      return decode_e4m3<false>;
    case CodecId::kQ8_0:
      return decode_gguf_blocks<Q8_0>;
    case CodecId::kQ5_1:
      return decode_gguf_blocks<Q5_1>;
    case CodecId::kQ5_0:
      return decode_gguf_blocks<Q5_0>;
    case CodecId::kQ4_1:
      return decode_gguf_blocks<Q4_1>;
    case CodecId::kQ4_0:
      return decode_gguf_blocks<Q4_0>;
    case CodecId::kIq4Nl:
      return decode_gguf_blocks<Iq4Nl>;
    case CodecId::kInt4TokenG32:
      return decode_int_token<4, 32>;
    case CodecId::kInt4TokenG64:
      return decode_int_token<4, 64>;
    case CodecId::kInt3TokenG32:
      return decode_int_token<3, 32>;
    case CodecId::kInt3TokenG64:
      return decode_int_token<3, 64>;
    case CodecId::kInt2TokenG32:
      return decode_int_token<2, 32>;
    case CodecId::kInt2TokenG64:
      return decode_int_token<2, 64>;
    case CodecId::kNvfp4:
      return decode_fp4_groups<16, &ScaleTables::nvfp4>;
    case CodecId::kMxfp4:
      return decode_fp4_groups<32, &ScaleTables::ue8m0>;
    case CodecId::kTurbo4:
      return decode_turbo<4>;
    case CodecId::kTurbo3:
      return decode_turbo<3>;
    case CodecId::kTurbo2:
      return decode_turbo<2>;
    case CodecId::kKvarn4Keys:
      return decode_kvarn_key_tiles;
    case CodecId::kKvarn3Keys:
      return decode_kvarn_keys<3>;
    case CodecId::kKvarn2Keys:
      return decode_kvarn_keys<2>;
    case CodecId::kKvarn3Values:
      return decode_kvarn_values<3>;
    case CodecId::kKvarn2Values:
      return decode_kvarn_values<2>;
    case CodecId::kInt4Channel:
      return decode_int_channel<4, 32>;
    case CodecId::kInt3Channel:
      return decode_int_channel<3, 32>;
    case CodecId::kInt2Channel:
      return decode_int_channel<2, 32>;
    case CodecId::kInt8Channel:
      return decode_int8_channel;
    default:
      return nullptr;
  }
}

void decode_coded(const CodedRows& form, const std::byte* coded, float* decoded) {
  const DecodeCoded decode = find_decoder(form.codec);
  const auto* bytes = reinterpret_cast<const uint8_t*>(coded);
  if (decode == nullptr || !decode(form, bytes, decoded)) {
    kernels::decode_coded(form, coded, decoded);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
