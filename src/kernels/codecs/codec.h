// Codec: how the rows of a stream become bytes and back. Each codec is one file beside this one,
// its scalar definition: the oracle of the vectorised versions.
//
// A codec is a pure function of the rows of one group and of side data that were fixed beforehand.
// Pointers may lie anywhere; nothing is allocated; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace kvasir::kernels {

// The order is that of the table; ids stand in no file. The first ones are row formats: each row
// stands alone, and the kernels read it where it lies, from the first token on.
enum class CodecId : uint8_t {
  kF32,       // plain float32
  kBf16,      // plain BF16, little-endian
  kFp8,       // E4M3 in groups of 64 with UE8M0 scales, the rotated part BF16
  kFp4,       // E2M1 in groups of 32 with UE8M0 scales
  kF16,       // IEEE half precision, little-endian
  kE4m3,      // E4M3 without a scale
  kNvfp4Row,  // E2M1 in groups of 16 with E4M3 scales, the rotated part BF16
  // Of index keys alone:
  kInt2Keys,  // 2 bits in groups of 32, each with a scale and a minimum
  kSignKeys,  // signs, and one scale for all

  // The others code the rows of a block once it is complete; each file says how.
  kInt8Token,

  // Rows that stand alone: e4m3_token.cc, e4m3_ue8m0.cc, e4m3.cc, e5m2.cc,
  kE4m3Token,
  kE4m3Ue8m0,
  kE4m3One,
  kE5m2,
  // as blocks of GGUF: q8_0.cc, q4_1.cc, q4_0.cc, iq4_nl.cc,
  kQ8_0,
  kQ5_1,
  kQ5_0,
  kQ4_1,
  kQ4_0,
  kIq4Nl,
  // int_token.cc,
  kInt4TokenG32,
  kInt4TokenG64,
  kInt3TokenG32,
  kInt3TokenG64,
  kInt2TokenG32,
  kInt2TokenG64,
  // fp4_scaled.cc,
  kNvfp4,
  kMxfp4,
  // turbo.cc.
  kTurbo4,
  kTurbo3,
  kTurbo2,

  // Rows that are coded together: kvarn.cc, int_channel.cc, byte_channel.cc.
  kKvarn4Keys,
  kKvarn3Keys,
  kKvarn2Keys,
  kKvarn4Values,
  kKvarn3Values,
  kKvarn2Values,
  kInt4Channel,
  kInt3Channel,
  kInt2Channel,
  kInt8Channel,
  kE4m3Channel,

  // Rows that are coded with what was learnt of the model: nuq.cc, low_rank.cc.
  kNuq4Keys,
  kNuq3Keys,
  kNuq2Keys,
  kNuq4Values,
  kNuq3Values,
  kNuq2Values,
  kLowRank75,
  kLowRank50,
  kOja75,
  kOja50,

  kCount,
};
inline constexpr size_t kRowFormatCount = 9;
inline constexpr size_t kCodecCount = static_cast<size_t>(CodecId::kCount);

// Codes of kFp8 that share a scale.
inline constexpr int64_t kFp8GroupSize = 64;

// One row: `vectors` vectors of `width` floats, the last rope_width of each rotated by position.
struct RowShape {
  int64_t width = 0;
  int64_t rope_width = 0;
  int64_t vectors = 1;
};

// What a codec reads besides the rows of one vector (codebooks, bases); empty for most.
using SideData = std::span<const std::byte>;

struct Codec {
  CodecId id;
  const char* name;    // as a user writes it
  uint32_t version;    // of the bytes; part of prefix keys
  int64_t group_rows;  // consecutive rows that are coded together; 1: each row stands alone
  // A row format. Otherwise a token reads the rows of its own block at full width, and those of
  // earlier blocks as coded.
  bool is_read_at_once;

  // Bytes of a group of rows of that shape.
  int64_t (*bytes)(const RowShape& shape);
  // rows [group_rows, vectors, width] -> group [bytes], every byte written. REQUIRES: finite rows.
  void (*encode)(const RowShape& shape, SideData side, const float* rows, std::byte* group);
  // Rows [row_begin, row_end) of a group -> rows [row_end - row_begin, vectors, width].
  void (*decode)(const RowShape& shape, SideData side, const std::byte* group, int64_t row_begin,
                 int64_t row_end, float* rows);
  // The widest vectors that it codes.
  int64_t width_max = std::numeric_limits<int64_t>::max();
  // Bytes of side data; null: it takes none.
  int64_t (*side_bytes)(const RowShape& shape) = nullptr;
  // The side data of the group that follows, which are a part of this one; null: all groups have
  // the same.
  SideData (*next_side)(const RowShape& shape, const std::byte* group) = nullptr;
};

// A codec whose rows stand alone and are read as coded from the first token on, in the first
// version of its bytes.
constexpr Codec row_codec(CodecId id, const char* name, decltype(Codec::bytes) bytes,
                          decltype(Codec::encode) encode, decltype(Codec::decode) decode) {
  return {.id = id,
          .name = name,
          .version = 1,
          .group_rows = 1,
          .is_read_at_once = true,
          .bytes = bytes,
          .encode = encode,
          .decode = decode};
}

// A codec of the rows of complete blocks. It codes one vector of each row: shape.vectors is 1.
constexpr Codec sealed_codec(CodecId id, const char* name, int64_t group_rows,
                             decltype(Codec::bytes) bytes, decltype(Codec::encode) encode,
                             decltype(Codec::decode) decode) {
  return {.id = id,
          .name = name,
          .version = 1,
          .group_rows = group_rows,
          .is_read_at_once = false,
          .bytes = bytes,
          .encode = encode,
          .decode = decode};
}

extern const Codec kF32Codec;
extern const Codec kBf16Codec;
extern const Codec kFp8Codec;
extern const Codec kFp4Codec;
extern const Codec kF16Codec;
extern const Codec kE4m3Codec;
extern const Codec kNvfp4RowCodec;
extern const Codec kInt2KeysCodec;
extern const Codec kSignKeysCodec;
extern const Codec kInt8TokenCodec;
extern const Codec kE4m3TokenCodec;
extern const Codec kE4m3Ue8m0Codec;
extern const Codec kE4m3OneCodec;
extern const Codec kE5m2Codec;
extern const Codec kQ8_0Codec;
extern const Codec kQ5_1Codec;
extern const Codec kQ5_0Codec;
extern const Codec kQ4_1Codec;
extern const Codec kQ4_0Codec;
extern const Codec kIq4NlCodec;
extern const Codec kInt4TokenG32Codec;
extern const Codec kInt4TokenG64Codec;
extern const Codec kInt3TokenG32Codec;
extern const Codec kInt3TokenG64Codec;
extern const Codec kInt2TokenG32Codec;
extern const Codec kInt2TokenG64Codec;
extern const Codec kNvfp4Codec;
extern const Codec kMxfp4Codec;
extern const Codec kTurbo4Codec;
extern const Codec kTurbo3Codec;
extern const Codec kTurbo2Codec;
extern const Codec kKvarn4KeysCodec;
extern const Codec kKvarn3KeysCodec;
extern const Codec kKvarn2KeysCodec;
extern const Codec kKvarn4ValuesCodec;
extern const Codec kKvarn3ValuesCodec;
extern const Codec kKvarn2ValuesCodec;
extern const Codec kInt4ChannelCodec;
extern const Codec kInt3ChannelCodec;
extern const Codec kInt2ChannelCodec;
extern const Codec kInt8ChannelCodec;
extern const Codec kE4m3ChannelCodec;
extern const Codec kNuq4KeysCodec;
extern const Codec kNuq3KeysCodec;
extern const Codec kNuq2KeysCodec;
extern const Codec kNuq4ValuesCodec;
extern const Codec kNuq3ValuesCodec;
extern const Codec kNuq2ValuesCodec;
extern const Codec kLowRank75Codec;
extern const Codec kLowRank50Codec;
extern const Codec kOja75Codec;
extern const Codec kOja50Codec;

const Codec& codec_of(CodecId id);
// Null: there is none of that name.
const Codec* find_codec(std::string_view name);

// The coded rows of one vector of a sealed stream, all of one block: its groups one behind another.
struct CodedRows {
  CodecId codec = CodecId::kInt8Token;
  RowShape shape;  // of one vector
  SideData side;
  int64_t row_count = 0;  // whole groups
};
// rows [row_count, width], finite -> coded
void encode_coded(const CodedRows& form, const float* rows, std::byte* coded);
// coded -> rows [row_count, width]
void decode_coded(const CodedRows& form, const std::byte* coded, float* rows);

// One vector of a row whose codec takes rows one by one: what the kernels are told of cached rows.
struct RowFormat {
  CodecId codec = CodecId::kFp8;
  int64_t dim = 0;
  int64_t rope_dim = 0;  // the last dims of the vector

  int64_t bytes() const;
  bool operator==(const RowFormat&) const = default;
};

// source [dim] -> row [format.bytes()]. REQUIRES: finite source.
void encode_row(const RowFormat& format, const float* source, std::byte* row);
// row -> target [dim]; exact.
void decode_row(const RowFormat& format, const std::byte* row, float* target);

}  // namespace kvasir::kernels
