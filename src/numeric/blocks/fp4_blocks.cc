// Blocks of FP4 codes (E2M1) under a scale that is a power of two, or a small float for 16 numbers.
// Unlike FP4 elsewhere their code 8 is +0.
#include <array>
#include <cmath>

#include "numeric/blocks/decoders.h"

namespace kvasir::blocks {
namespace {

// Twice the value, so that all are whole.
constexpr float kDoubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// E4M3 without a sign; its two codes for NaN mean 0.
float half_of_e4m3(int code) {
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  if (code == 127 || code == 255) return 0;
  const int significand = exponent == 0 ? mantissa : mantissa + 8;
  return std::ldexp(static_cast<float>(significand), (exponent == 0 ? 1 : exponent) - 11);
}

constexpr int kOffset = 16;

constexpr auto kIntegers = [] {
  std::array<uint8_t, 16> integers{};
  for (size_t i = 0; i < integers.size(); ++i)
    integers[i] = static_cast<uint8_t>(static_cast<int>(kDoubled[i]) + kOffset);
  return integers;
}();

void read_mxfp4(const std::byte* block, BlockCodes& out) {
  out.exponent = std::to_integer<uint8_t>(block[0]);
  split_nibbles(block + 1, out.codes.data());
}

}  // namespace

constexpr BlockCoding kMxfp4Coding = {.code_bits = 4,
                                      .integer_bits = 5,
                                      .offset = kOffset,
                                      .scale_form = ScaleForm::kExponent,
                                      .integers = kIntegers.data(),
                                      .read = read_mxfp4};

// u8 exponent; 16 bytes of split nibbles: 2^(e - 127) * value
void decode_mxfp4(const std::byte* block, float* out) {
  const float scale = half_of_ue8m0(std::to_integer<uint8_t>(block[0]));
  for (int i = 0; i < 32; ++i) out[i] = scale * kDoubled[split_nibble(block + 1, i)];
}

// 4 x E4M3; 4 runs of 8 bytes of nibbles, split in each run: scale * value
void decode_nvfp4(const std::byte* block, float* out) {
  for (int group = 0; group < 4; ++group) {
    const float scale = half_of_e4m3(byte_at(block, group));
    for (int i = 0; i < 16; ++i) {
      out[16 * group + i] = scale * kDoubled[split_nibble(block + 4 + 8 * group, i, 8)];
    }
  }
}

}  // namespace kvasir::blocks
