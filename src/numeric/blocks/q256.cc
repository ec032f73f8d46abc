// Blocks of 256 numbers in groups of 16 or 32, whose scales are small integers under one f16 scale
// of the block. Products of scales come first, then the code, then the offset.
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr int kItems = 256;

struct ScaleAndMin {
  int scale;
  int min;
};

// Eight scales and eight minima of six bits in 12 bytes: those of the last four groups are put
// together from nibbles and from the upper two bits of the first eight bytes.
ScaleAndMin six_bits(const std::byte* s, int group) {
  if (group < 4) return {byte_at(s, group) & 63, byte_at(s, group + 4) & 63};
  const int low = byte_at(s, group + 4);
  return {(low & 15) | (byte_at(s, group - 4) >> 6) << 4, (low >> 4) | (byte_at(s, group) >> 6)
                                                                           << 4};
}

// Item i of 256: of 64 that share 32 bytes, the first 32 lie in the low nibbles.
int wide_nibble(const std::byte* q, int i) {
  return (byte_at(q, 32 * (i / 64) + i % 32) >> (4 * (i / 32 % 2))) & 15;
}

// d * scale * code - dmin * min, for groups of 32.
template <class Code>
void decode_with_minima(float d, float dmin, const std::byte* scales, const Code& code,
                        float* out) {
  for (int group = 0; group < kItems / 32; ++group) {
    const ScaleAndMin six = six_bits(scales, group);
    const float scale = d * static_cast<float>(six.scale);
    const float min = dmin * static_cast<float>(six.min);
    for (int i = 32 * group; i < 32 * (group + 1); ++i) {
      out[i] = scale * static_cast<float>(code(i)) - min;
    }
  }
}

}  // namespace

// 16 bytes of scale and min nibbles; 64 bytes of codes; f16 d, dmin
void decode_q2_k(const std::byte* block, float* out) {
  const float d = f16_at(block + 80);
  const float dmin = f16_at(block + 82);
  for (int i = 0; i < kItems; ++i) {
    const int pair = byte_at(block, i / 16);
    const float scale = d * static_cast<float>(pair & 15);
    const float min = dmin * static_cast<float>(pair >> 4);
    out[i] = scale * static_cast<float>(wide_crumb(block + 16, i)) - min;
  }
}

// 32 bytes of third bits; 64 bytes of low bits; 12 bytes of 16 six-bit scales; f16 d
void decode_q3_k(const std::byte* block, float* out) {
  const std::byte* s = block + 96;
  const float d = f16_at(block + 108);
  for (int i = 0; i < kItems; ++i) {
    const int group = i / 16;
    const int low = (byte_at(s, group % 8) >> (4 * (group / 8))) & 15;
    const int high = (byte_at(s, 8 + group % 4) >> (2 * (group / 4))) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const int third = byte_at(block, i % 32) >> (i / 32) & 1;
    const int code = wide_crumb(block + 32, i) - (third != 0 ? 0 : 4);
    out[i] = scale * static_cast<float>(code);
  }
}

// f16 d, dmin; 12 bytes of scales and minima; 128 bytes of codes
void decode_q4_k(const std::byte* block, float* out) {
  const auto code = [&](int i) { return wide_nibble(block + 16, i); };
  decode_with_minima(f16_at(block), f16_at(block + 2), block + 4, code, out);
}

// f16 d, dmin; 12 bytes of scales and minima; 32 bytes of fifth bits; 128 bytes of low bits
void decode_q5_k(const std::byte* block, float* out) {
  const auto code = [&](int i) {
    const int fifth = byte_at(block + 16, i % 32) >> (i / 32) & 1;
    return wide_nibble(block + 48, i) | fifth << 4;
  };
  decode_with_minima(f16_at(block), f16_at(block + 2), block + 4, code, out);
}

// 128 bytes of low bits; 64 bytes of upper two bits; 16 x i8 scales; f16 d
void decode_q6_k(const std::byte* block, float* out) {
  const float d = f16_at(block + 208);
  for (int i = 0; i < kItems; ++i) {
    const int half = i / 128;
    const int rest = i % 128;
    const int low = (byte_at(block, 64 * half + rest % 64) >> (4 * (rest / 64))) & 15;
    const int high = (byte_at(block, 128 + 32 * half + rest % 32) >> (2 * (rest / 32))) & 3;
    const float scale = d * static_cast<float>(load_little_endian<int8_t>(block + 192 + i / 16));
    out[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

}  // namespace kvasir::blocks
