// GgufBlocks is the form of rows in blocks of 32 values as GGUF tensors have them: byte for byte
// what its makers' quantisers write. A last block that the row does not fill is filled with zeros.
// numeric/blocks says how blocks are decoded; here is what their encoders share. Pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/codecs/sealed_row.h"
#include "kernels/unaligned.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::kernels {

inline constexpr int64_t kGgufBlockItems = 32;

// Encode: void (const float* values [32], std::byte* block), every byte written.
template <Dtype kType, auto kEncode>
struct GgufBlocks {
  static const BlockType& type() {
    static const BlockType& type = *block_type_of(kType);
    return type;
  }

  static int64_t bytes(int64_t width) {
    return (width + kGgufBlockItems - 1) / kGgufBlockItems * type().block_bytes;
  }

  static void encode(const float* row, int64_t width, std::byte* out) {
    for (int64_t begin = 0; begin < width; begin += kGgufBlockItems, out += type().block_bytes) {
      std::array<float, kGgufBlockItems> values{};
      std::copy_n(row + begin, std::min(kGgufBlockItems, width - begin), values.begin());
      kEncode(values.data(), out);
    }
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    for (int64_t begin = 0; begin < width; begin += kGgufBlockItems, in += type().block_bytes) {
      std::array<float, kGgufBlockItems> values;
      type().decode(in, values.data());
      std::copy_n(values.begin(), std::min(kGgufBlockItems, width - begin), row + begin);
    }
  }
};

// The value of largest magnitude, the first of several.
inline float signed_largest(const float* values) {
  const auto is_smaller = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
  return *std::max_element(values, values + kGgufBlockItems, is_smaller);
}

// What values are multiplied by instead of being divided by d; 0 where that would be no number.
inline float inverse_of(float d) {
  const float inverse = d == 0 ? 0 : 1 / d;
  return std::isfinite(inverse) ? inverse : 0;
}

// The low four bits of codes [32] -> out [16]: those of code j and j + 16 share byte j.
inline void put_split_nibbles(const std::array<uint8_t, kGgufBlockItems>& codes, std::byte* out) {
  for (int64_t j = 0; j < 16; ++j) {
    out[j] = static_cast<std::byte>((codes[j] & 15) | (codes[j + 16] & 15) << 4);
  }
}

// The fifth bit of codes [32] -> out [4]: that of code i is bit i, little-endian.
inline void put_fifth_bits(const std::array<uint8_t, kGgufBlockItems>& codes, std::byte* out) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < kGgufBlockItems; ++i) bits |= (codes[i] >> 4 & 1u) << i;
  store_unaligned(out, bits);
}

}  // namespace kvasir::kernels
