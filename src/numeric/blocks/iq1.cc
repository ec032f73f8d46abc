// Blocks whose groups of eight numbers are entries of a codebook of -1, 0 and 1, all shifted up or
// down by an eighth.
#include "numeric/blocks/codebooks.h"
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr float kShift = 0.125F;

void decode_eight(float scale, int entry, bool shifts_down, float* out) {
  const float shift = shifts_down ? -kShift : kShift;
  for (int i = 0; i < 8; ++i) {
    const int value = (kIq1Codebook[entry] >> (2 * i) & 3) - 1;
    out[i] = scale * (static_cast<float>(value) + shift);
  }
}

}  // namespace

// f16 d; 32 bytes of low entry bits; 8 x u16 for 32 numbers each: four times three upper entry
// bits, three bits of scale, a bit for the shift: d * (2 s + 1) * value
void decode_iq1_s(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int group = 0; group < 8; ++group) {
    const int high = load_little_endian<uint16_t>(block + 34 + 2 * group);
    const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
    for (int part = 0; part < 4; ++part) {
      const int low = byte_at(block, 2 + 4 * group + part);
      const int entry = low | (high >> (3 * part) & 7) << 8;
      decode_eight(scale, entry, (high & 0x8000) != 0, out + 32 * group + 8 * part);
    }
  }
}

// 32 bytes of low entry bits; 16 bytes of two nibbles each: three upper entry bits, a bit for the
// shift; 4 x u16: four times three bits of scale for 16 numbers, and a nibble of the f16 d
void decode_iq1_m(const std::byte* block, float* out) {
  const std::byte* scales = block + 48;
  int d_bits = 0;
  for (int i = 0; i < 4; ++i) d_bits |= byte_at(scales, 2 * i + 1) >> 4 << (4 * i);
  const float d = f16_decode(static_cast<uint16_t>(d_bits));
  for (int part = 0; part < 32; ++part) {
    const int word = load_little_endian<uint16_t>(scales + 2 * (part / 8));
    const float scale = d * static_cast<float>(2 * (word >> (3 * (part / 2 % 4)) & 7) + 1);
    const int nibble = byte_at(block, 32 + part / 2) >> (4 * (part % 2)) & 15;
    const int entry = byte_at(block, part) | (nibble & 7) << 8;
    decode_eight(scale, entry, (nibble & 8) != 0, out + 8 * part);
  }
}

}  // namespace kvasir::blocks
