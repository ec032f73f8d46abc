// Blocks of four-bit codes into one uneven table of 16 values.
#include "numeric/blocks/decoders.h"
#include "numeric/blocks/iq4_values.h"

namespace kvasir::blocks {

// f16 d; 16 bytes of split nibbles: d * value
void decode_iq4_nl(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < 32; ++i) out[i] = d * kIq4Values[split_nibble(block + 2, i)];
}

// f16 d; u16 of upper two bits and 4 bytes of low nibbles of 8 scales; 128 bytes of nibbles, split
// in each 16: d * (scale - 32) * value
void decode_iq4_xs(const std::byte* block, float* out) {
  const float d = f16_at(block);
  const int high = load_little_endian<uint16_t>(block + 2);
  for (int group = 0; group < 8; ++group) {
    const int low = byte_at(block, 4 + group / 2) >> (4 * (group % 2)) & 15;
    const float scale = d * static_cast<float>((low | (high >> (2 * group) & 3) << 4) - 32);
    for (int i = 0; i < 32; ++i) {
      out[32 * group + i] = scale * kIq4Values[split_nibble(block + 8 + 16 * group, i)];
    }
  }
}

}  // namespace kvasir::blocks
