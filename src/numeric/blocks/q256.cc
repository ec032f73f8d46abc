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

int third_bit(const std::byte* block, int i) { return byte_at(block, i % 32) >> (i / 32) & 1; }

// The scale of a group of 16 in Q3_K.
int six_bit_step(const std::byte* s, int group) {
  const int low = (byte_at(s, group % 8) >> (4 * (group / 8))) & 15;
  const int high = (byte_at(s, 8 + group % 4) >> (2 * (group / 4))) & 3;
  return (low | high << 4) - 32;
}

// Q5_K, from its field of fifth bits on.
int five_bits(const std::byte* high, int i) {
  return wide_nibble(high + 32, i) | (byte_at(high, i % 32) >> (i / 32) & 1) << 4;
}

int six_bits_of_q6(const std::byte* block, int i) {
  const int half = i / 128;
  const int rest = i % 128;
  const int low = (byte_at(block, 64 * half + rest % 64) >> (4 * (rest / 64))) & 15;
  const int high = (byte_at(block, 128 + 32 * half + rest % 32) >> (2 * (rest / 32))) & 3;
  return low | high << 4;
}

// These write runs of bytes, one simple step after another, so that compilers make vectors of them.

// 128 bytes: of 64 codes that share 32 bytes, the first 32 lie in the low nibbles.
void read_wide_nibbles(const std::byte* q, uint8_t* codes) {
  for (int i = 0; i < kItems; i += 64, q += 32) {
    for (int k = 0; k < 32; ++k) {
      codes[i + k] = std::to_integer<uint8_t>(q[k]) & 15;
      codes[i + 32 + k] = std::to_integer<uint8_t>(q[k]) >> 4;
    }
  }
}

// 64 bytes: 128 codes of two bits share 32 of them.
void read_wide_crumbs(const std::byte* q, uint8_t* codes) {
  for (int i = 0; i < kItems; i += 32) {
    for (int k = 0; k < 32; ++k)
      codes[i + k] = (std::to_integer<uint8_t>(q[32 * (i / 128) + k]) >> (i / 32 % 4 * 2)) & 3;
  }
}

// 32 bytes, bit j of which belongs to the j-th 32 codes.
void add_wide_bits(const std::byte* bits, int place, uint8_t* codes) {
  for (int i = 0; i < kItems; i += 32) {
    for (int k = 0; k < 32; ++k) {
      const int bit = std::to_integer<uint8_t>(bits[k]) >> (i / 32) & 1;
      codes[i + k] = static_cast<uint8_t>(codes[i + k] | bit << place);
    }
  }
}

// 128 bytes of low nibbles, 64 of upper crumbs: of 128 codes the first 64 have the low nibbles of
// 64 bytes, and each 32 the next crumbs of 32.
void read_six_bit_codes(const std::byte* low, const std::byte* high, uint8_t* codes) {
  for (int i = 0; i < kItems; i += 128, low += 64, high += 32) {
    for (int k = 0; k < 32; ++k) {
      const auto crumbs = std::to_integer<uint8_t>(high[k]);
      const auto first = std::to_integer<uint8_t>(low[k]);
      const auto second = std::to_integer<uint8_t>(low[32 + k]);
      codes[i + k] = static_cast<uint8_t>((first & 15) | (crumbs & 3) << 4);
      codes[i + 32 + k] = static_cast<uint8_t>((second & 15) | (crumbs >> 2 & 3) << 4);
      codes[i + 64 + k] = static_cast<uint8_t>(first >> 4 | (crumbs >> 4 & 3) << 4);
      codes[i + 96 + k] = static_cast<uint8_t>(second >> 4 | (crumbs >> 6) << 4);
    }
  }
}

void read_six_bits(const std::byte* scales, BlockCodes& out) {
  for (int group = 0; group < kItems / 32; ++group) {
    const ScaleAndMin six = six_bits(scales, group);
    out.steps[static_cast<size_t>(group)] = static_cast<int8_t>(six.scale);
    out.minimum_steps[static_cast<size_t>(group)] = static_cast<uint8_t>(six.min);
  }
}

void read_q2_k(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block + 80);
  out.minimum = half_bits_at(block + 82);
  for (int group = 0; group < kItems / 16; ++group) {
    out.steps[static_cast<size_t>(group)] = static_cast<int8_t>(byte_at(block, group) & 15);
    out.minimum_steps[static_cast<size_t>(group)] =
        static_cast<uint8_t>(byte_at(block, group) >> 4);
  }
  read_wide_crumbs(block + 16, out.codes.data());
}

void read_q3_k(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block + 108);
  for (int group = 0; group < kItems / 16; ++group)
    out.steps[static_cast<size_t>(group)] = static_cast<int8_t>(six_bit_step(block + 96, group));
  read_wide_crumbs(block + 32, out.codes.data());
  add_wide_bits(block, 2, out.codes.data());
}

void read_q4_k(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  out.minimum = half_bits_at(block + 2);
  read_six_bits(block + 4, out);
  read_wide_nibbles(block + 16, out.codes.data());
}

void read_q5_k(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  out.minimum = half_bits_at(block + 2);
  read_six_bits(block + 4, out);
  read_wide_nibbles(block + 48, out.codes.data());
  add_wide_bits(block + 16, 4, out.codes.data());
}

void read_q6_k(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block + 208);
  for (int group = 0; group < kItems / 16; ++group)
    out.steps[static_cast<size_t>(group)] = load_little_endian<int8_t>(block + 192 + group);
  read_six_bit_codes(block, block + 128, out.codes.data());
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
    const float scale = d * static_cast<float>(six_bit_step(s, i / 16));
    const int code = wide_crumb(block + 32, i) - (third_bit(block, i) != 0 ? 0 : 4);
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
  const auto code = [&](int i) { return five_bits(block + 16, i); };
  decode_with_minima(f16_at(block), f16_at(block + 2), block + 4, code, out);
}

// 128 bytes of low bits; 64 bytes of upper two bits; 16 x i8 scales; f16 d
void decode_q6_k(const std::byte* block, float* out) {
  const float d = f16_at(block + 208);
  for (int i = 0; i < kItems; ++i) {
    const float scale = d * static_cast<float>(load_little_endian<int8_t>(block + 192 + i / 16));
    out[i] = scale * static_cast<float>(six_bits_of_q6(block, i) - 32);
  }
}

constexpr BlockCoding kQ2KCoding = {.run_items = 16,
                                    .code_bits = 4,
                                    .integer_bits = 4,
                                    .scale_form = ScaleForm::kStepsAndMinima,
                                    .read = read_q2_k};
constexpr BlockCoding kQ3KCoding = {.run_items = 16,
                                    .code_bits = 4,
                                    .integer_bits = 4,
                                    .offset = 4,
                                    .scale_form = ScaleForm::kSteps,
                                    .read = read_q3_k};
constexpr BlockCoding kQ4KCoding = {
    .code_bits = 4, .integer_bits = 4, .scale_form = ScaleForm::kStepsAndMinima, .read = read_q4_k};
constexpr BlockCoding kQ5KCoding = {
    .integer_bits = 5, .scale_form = ScaleForm::kStepsAndMinima, .read = read_q5_k};
constexpr BlockCoding kQ6KCoding = {.run_items = 16,
                                    .integer_bits = 6,
                                    .offset = 32,
                                    .scale_form = ScaleForm::kSteps,
                                    .read = read_q6_k};

}  // namespace kvasir::blocks
