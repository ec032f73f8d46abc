#include "kernels/codecs/codec.h"

#include <array>

#include "base/check.h"

namespace kvasir::kernels {
namespace {

constexpr auto kCodecs = std::to_array<const Codec*>({
    &kF32Codec,          &kBf16Codec,         &kFp8Codec,          &kFp4Codec,
    &kF16Codec,          &kE4m3Codec,         &kNvfp4RowCodec,     &kInt2KeysCodec,
    &kSignKeysCodec,     &kInt8TokenCodec,    &kE4m3TokenCodec,    &kE4m3Ue8m0Codec,
    &kE4m3OneCodec,      &kE5m2Codec,         &kQ8_0Codec,         &kQ5_1Codec,
    &kQ5_0Codec,         &kQ4_1Codec,         &kQ4_0Codec,         &kIq4NlCodec,
    &kInt4TokenG32Codec, &kInt4TokenG64Codec, &kInt3TokenG32Codec, &kInt3TokenG64Codec,
    &kInt2TokenG32Codec, &kInt2TokenG64Codec, &kNvfp4Codec,        &kMxfp4Codec,
    &kTurbo4Codec,       &kTurbo3Codec,       &kTurbo2Codec,       &kKvarn4KeysCodec,
    &kKvarn3KeysCodec,   &kKvarn2KeysCodec,   &kKvarn4ValuesCodec, &kKvarn3ValuesCodec,
    &kKvarn2ValuesCodec, &kInt4ChannelCodec,  &kInt3ChannelCodec,  &kInt2ChannelCodec,
    &kInt8ChannelCodec,  &kE4m3ChannelCodec,  &kNuq4KeysCodec,     &kNuq3KeysCodec,
    &kNuq2KeysCodec,     &kNuq4ValuesCodec,   &kNuq3ValuesCodec,   &kNuq2ValuesCodec,
    &kLowRank75Codec,    &kLowRank50Codec,    &kOja75Codec,        &kOja50Codec,
});
static_assert(kCodecs.size() == kCodecCount);

}  // namespace

const Codec& codec_of(CodecId id) {
  const auto index = static_cast<size_t>(id);
  KVASIR_CHECK(index < kCodecs.size() && kCodecs[index]->id == id, "the table is in order of ids");
  return *kCodecs[index];
}

const Codec* find_codec(std::string_view name) {
  for (const Codec* codec : kCodecs) {
    if (codec->name == name) return codec;
  }
  return nullptr;
}

namespace {

// Calls visit(first row, bytes of a group) for each group of the rows.
void for_each_group(const CodedRows& form, const auto& visit) {
  const Codec& codec = codec_of(form.codec);
  const int64_t bytes = codec.bytes(form.shape);
  KVASIR_DCHECK(form.row_count % codec.group_rows == 0, "whole groups");
  for (int64_t group = 0; group < form.row_count / codec.group_rows; ++group) {
    visit(codec, group * codec.group_rows, group * bytes);
  }
}

}  // namespace

void encode_coded(const CodedRows& form, const float* rows, std::byte* coded) {
  for_each_group(form, [&](const Codec& codec, int64_t first_row, int64_t offset_bytes) {
    codec.encode(form.shape, form.side, rows + first_row * form.shape.width, coded + offset_bytes);
  });
}

void decode_coded(const CodedRows& form, const std::byte* coded, float* rows) {
  for_each_group(form, [&](const Codec& codec, int64_t first_row, int64_t offset_bytes) {
    codec.decode(form.shape, form.side, coded + offset_bytes, 0, codec.group_rows,
                 rows + first_row * form.shape.width);
  });
}

int64_t RowFormat::bytes() const {
  return codec_of(codec).bytes({.width = dim, .rope_width = rope_dim});
}

void encode_row(const RowFormat& format, const float* source, std::byte* row) {
  const Codec& codec = codec_of(format.codec);
  KVASIR_CHECK(codec.group_rows == 1, "a codec whose rows stand alone");
  codec.encode({.width = format.dim, .rope_width = format.rope_dim}, {}, source, row);
}

void decode_row(const RowFormat& format, const std::byte* row, float* target) {
  const Codec& codec = codec_of(format.codec);
  KVASIR_CHECK(codec.group_rows == 1, "a codec whose rows stand alone");
  codec.decode({.width = format.dim, .rope_width = format.rope_dim}, {}, row, 0, 1, target);
}

}  // namespace kvasir::kernels
