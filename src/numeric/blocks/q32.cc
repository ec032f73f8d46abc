// Blocks of 32 numbers on an even grid: a scale d, in some a lowest value m, and a code each.
#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

constexpr int kItems = 32;

// Five bits: the low four as split nibbles, the fifth of item i in bit i of `high`.
int five_bits(const std::byte* nibbles, uint32_t high, int i) {
  return split_nibble(nibbles, i) | static_cast<int>((high >> i & 1) << 4);
}

}  // namespace

// f16 d; 16 bytes of split nibbles: d * (q - 8)
void decode_q4_0(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < kItems; ++i) {
    out[i] = d * static_cast<float>(split_nibble(block + 2, i) - 8);
  }
}

// f16 d, m; 16 bytes of split nibbles: d * q + m
void decode_q4_1(const std::byte* block, float* out) {
  const float d = f16_at(block);
  const float m = f16_at(block + 2);
  for (int i = 0; i < kItems; ++i) {
    out[i] = d * static_cast<float>(split_nibble(block + 4, i)) + m;
  }
}

// f16 d; u32 of fifth bits; 16 bytes of split nibbles: d * (q - 16)
void decode_q5_0(const std::byte* block, float* out) {
  const float d = f16_at(block);
  const auto high = load_little_endian<uint32_t>(block + 2);
  for (int i = 0; i < kItems; ++i) {
    out[i] = d * static_cast<float>(five_bits(block + 6, high, i) - 16);
  }
}

// f16 d, m; u32 of fifth bits; 16 bytes of split nibbles: d * q + m
void decode_q5_1(const std::byte* block, float* out) {
  const float d = f16_at(block);
  const float m = f16_at(block + 2);
  const auto high = load_little_endian<uint32_t>(block + 4);
  for (int i = 0; i < kItems; ++i) {
    out[i] = d * static_cast<float>(five_bits(block + 8, high, i)) + m;
  }
}

// f16 d; 32 x i8: d * q
void decode_q8_0(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < kItems; ++i) {
    out[i] = d * static_cast<float>(load_little_endian<int8_t>(block + 2 + i));
  }
}

}  // namespace kvasir::blocks
