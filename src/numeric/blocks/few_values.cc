// Blocks whose numbers take two, three or four values: -d, 0, d, 2 d.
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr int kPowersOf3[] = {1, 3, 9, 27, 81, 243};

// Five digits to the base 3 in a byte, as a fraction of 256: digit n is found by shifting the
// earlier ones out.
int trit(int byte, int n) { return ((byte * kPowersOf3[n] & 255) * 3) >> 8; }

}  // namespace

// f16 d; 128 bits: d where the bit is set, else -d
void decode_q1_0(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < 128; ++i) out[i] = (byte_at(block, 2 + i / 8) >> (i % 8) & 1) != 0 ? d : -d;
}

// f16 d; 64 numbers of two bits: d * (q - 1)
void decode_q2_0(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < 64; ++i) {
    out[i] = d * static_cast<float>((byte_at(block, 2 + i / 4) >> (2 * (i % 4)) & 3) - 1);
  }
}

// 48 bytes of five digits, 4 bytes of four; f16 d: d * (digit - 1). Items that share a byte lie 32,
// 16 and 4 apart.
void decode_tq1_0(const std::byte* block, float* out) {
  const float d = f16_at(block + 52);
  for (int i = 0; i < 256; ++i) {
    const int rest = i < 160 ? i : i < 240 ? i - 160 : i - 240;
    const int apart = i < 160 ? 32 : i < 240 ? 16 : 4;
    const int begin = i < 160 ? 0 : i < 240 ? 32 : 48;
    const int digit = trit(byte_at(block, begin + rest % apart), rest / apart);
    out[i] = d * static_cast<float>(digit - 1);
  }
}

// 64 bytes of two-bit numbers; f16 d: d * (q - 1)
void decode_tq2_0(const std::byte* block, float* out) {
  const float d = f16_at(block + 64);
  for (int i = 0; i < 256; ++i) out[i] = d * static_cast<float>(wide_crumb(block, i) - 1);
}

}  // namespace kvasir::blocks
