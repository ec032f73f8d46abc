// Blocks of four-bit codes into one uneven table of 16 values.
#include <array>

#include "numeric/blocks/decoders.h"
#include "numeric/blocks/iq4_values.h"

namespace kvasir::blocks {
namespace {

constexpr int kOffset = 128;

constexpr auto kIntegers = [] {
  std::array<uint8_t, 16> integers{};
  for (size_t i = 0; i < integers.size(); ++i)
    integers[i] = static_cast<uint8_t>(static_cast<int>(kIq4Values[i]) + kOffset);
  return integers;
}();

void read_iq4_nl(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  split_nibbles(block + 2, out.codes.data());
}

// The scale of a group of 32.
int step_of(const std::byte* block, int group) {
  const int high = load_little_endian<uint16_t>(block + 2);
  const int low = byte_at(block, 4 + group / 2) >> (4 * (group % 2)) & 15;
  return (low | (high >> (2 * group) & 3) << 4) - 32;
}

void read_iq4_xs(const std::byte* block, BlockCodes& out) {
  out.scale = half_bits_at(block);
  for (int group = 0; group < 8; ++group) {
    out.steps[static_cast<size_t>(group)] = static_cast<int8_t>(step_of(block, group));
    split_nibbles(block + 8 + 16 * group, out.codes.data() + 32 * group);
  }
}

}  // namespace

constexpr BlockCoding kIq4NlCoding = {
    .code_bits = 4, .offset = kOffset, .integers = kIntegers.data(), .read = read_iq4_nl};
constexpr BlockCoding kIq4XsCoding = {.code_bits = 4,
                                      .offset = kOffset,
                                      .scale_form = ScaleForm::kSteps,
                                      .integers = kIntegers.data(),
                                      .read = read_iq4_xs};

// f16 d; 16 bytes of split nibbles: d * value
void decode_iq4_nl(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int i = 0; i < 32; ++i) out[i] = d * kIq4Values[split_nibble(block + 2, i)];
}

// f16 d; u16 of upper two bits and 4 bytes of low nibbles of 8 scales; 128 bytes of nibbles, split
// in each 16: d * (scale - 32) * value
void decode_iq4_xs(const std::byte* block, float* out) {
  const float d = f16_at(block);
  for (int group = 0; group < 8; ++group) {
    const float scale = d * static_cast<float>(step_of(block, group));
    for (int i = 0; i < 32; ++i) {
      out[32 * group + i] = scale * kIq4Values[split_nibble(block + 8 + 16 * group, i)];
    }
  }
}

}  // namespace kvasir::blocks
