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

namespace {

void add_fifth_bits(uint32_t high, uint8_t* codes) {
  for (int i = 0; i < kItems; ++i) codes[i] |= static_cast<uint8_t>((high >> i & 1) << 4);
}

void read_q4_0(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  split_nibbles(block + 2, out.codes.data());
}

void read_q4_1(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  out.minimum = half_bits_at(block + 2);
  split_nibbles(block + 4, out.codes.data());
}

void read_q5_0(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  split_nibbles(block + 6, out.codes.data());
  add_fifth_bits(load_little_endian<uint32_t>(block + 2), out.codes.data());
}

void read_q5_1(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  out.minimum = half_bits_at(block + 2);
  split_nibbles(block + 8, out.codes.data());
  add_fifth_bits(load_little_endian<uint32_t>(block + 4), out.codes.data());
}

void read_q8_0(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  for (size_t i = 0; i < kItems; ++i)
    out.codes[i] = std::to_integer<uint8_t>(block[2 + i] ^ std::byte{0x80});
}

}  // namespace

constexpr BlockCoding kQ4_0Coding = {
    .code_bits = 4, .integer_bits = 4, .offset = 8, .read = read_q4_0};
constexpr BlockCoding kQ4_1Coding = {
    .code_bits = 4, .integer_bits = 4, .scale_form = ScaleForm::kHalfAndMinimum, .read = read_q4_1};
constexpr BlockCoding kQ5_0Coding = {.integer_bits = 5, .offset = 16, .read = read_q5_0};
constexpr BlockCoding kQ5_1Coding = {
    .integer_bits = 5, .scale_form = ScaleForm::kHalfAndMinimum, .read = read_q5_1};
constexpr BlockCoding kQ8_0Coding = {.offset = 128, .read = read_q8_0};

}  // namespace kvasir::blocks
