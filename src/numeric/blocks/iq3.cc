// Blocks whose groups of four numbers are entries of a codebook of eight magnitudes, with signs.
#include "numeric/blocks/codebooks.h"
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr float kXxsMagnitudes[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr float kSMagnitudes[8] = {1, 3, 5, 7, 9, 11, 13, 15};

// signs: of these four in the low bits.
void decode_four(float scale, uint16_t entry, const float* magnitudes, int signs, float* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = scale * magnitudes[entry >> (3 * i) & 7] * sign_of(signs, i);
  }
}

}  // namespace

// f16 d; 64 bytes of entries; 8 x u32 for 32 numbers each: four times seven signs and a scale
void decode_iq3_xxs(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int part = 0; part < 64; ++part) {
    const auto word = load_little_endian<uint32_t>(block + 66 + 4 * (part / 8));
    const float scale = d * (0.5F + static_cast<float>(word >> 28)) * 0.5F;
    const int signs = with_parity(word >> (7 * (part / 2 % 4)));
    decode_four(scale, kIq3XxsCodebook[byte_at(block, 2 + part)], kXxsMagnitudes,
                signs >> (4 * (part % 2)), out + 4 * part);
  }
}

// f16 d; 64 bytes of low entry bits; 8 bytes of ninth bits; 32 bytes of signs; 4 bytes of scale
// nibbles: d * (1 + 2 s) * value
void decode_iq3_s(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int part = 0; part < 64; ++part) {
    const int ninth = byte_at(block, 66 + part / 8) >> (part % 8) & 1;
    const int nibble = byte_at(block, 106 + part / 16) >> (4 * (part / 8 % 2)) & 15;
    const float scale = d * static_cast<float>(1 + 2 * nibble);
    decode_four(scale, kIq3SCodebook[byte_at(block, 2 + part) | ninth << 8], kSMagnitudes,
                byte_at(block, 74 + part / 2) >> (4 * (part % 2)), out + 4 * part);
  }
}

}  // namespace kvasir::blocks
