// Blocks whose groups of eight numbers are entries of a codebook of 8, 25 and 43, with signs.
#include "numeric/blocks/codebooks.h"
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr float kMagnitudes[4] = {8, 25, 43, 0};

float scale_of(float d, uint32_t four_bits) {
  return d * (0.5F + static_cast<float>(four_bits)) * 0.25F;
}

void decode_eight(float scale, uint16_t entry, int signs, float* out) {
  for (int i = 0; i < 8; ++i) {
    out[i] = scale * kMagnitudes[entry >> (2 * i) & 3] * sign_of(signs, i);
  }
}

// The scale of eight numbers where a nibble serves 16.
float scale_of_sixteen(float d, const std::byte* nibbles, int part) {
  return scale_of(d,
                  static_cast<uint32_t>(byte_at(nibbles, part / 4) >> (4 * (part / 2 % 2)) & 15));
}

}  // namespace

// f16 d; for 32 numbers each: four bytes of entries, u32 of four times seven signs and a scale
void decode_iq2_xxs(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int group = 0; group < 8; ++group) {
    const std::byte* entries = block + 2 + 8 * group;
    const auto word = load_little_endian<uint32_t>(entries + 4);
    const float scale = scale_of(d, word >> 28);
    for (int part = 0; part < 4; ++part) {
      decode_eight(scale, kIq2XxsCodebook[byte_at(entries, part)], with_parity(word >> (7 * part)),
                   out + 32 * group + 8 * part);
    }
  }
}

// f16 d; 32 x u16 of nine bits of entry and seven signs; 8 bytes of scale nibbles
void decode_iq2_xs(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int part = 0; part < 32; ++part) {
    const auto word = load_little_endian<uint16_t>(block + 2 + 2 * part);
    decode_eight(scale_of_sixteen(d, block + 66, part), kIq2XsCodebook[word & 511],
                 with_parity(word >> 9), out + 8 * part);
  }
}

// f16 d; 32 bytes of low entry bits; 32 bytes of signs; 8 bytes of upper entry bits, two each; 8
// bytes of scale nibbles
void decode_iq2_s(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int part = 0; part < 32; ++part) {
    const int high = byte_at(block, 66 + part / 4) >> (2 * (part % 4)) & 3;
    decode_eight(scale_of_sixteen(d, block + 74, part),
                 kIq2SCodebook[byte_at(block, 2 + part) | high << 8], byte_at(block, 34 + part),
                 out + 8 * part);
  }
}

}  // namespace kvasir::blocks
