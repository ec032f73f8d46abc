// bfloat16 is the upper half of a float32. These functions convert one number at a time; every fast
// path is tested against them.
#pragma once

#include <bit>
#include <cstdint>

namespace kvasir {

inline float bf16_decode(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Round to nearest, ties to even. A NaN stays a (quiet) NaN.
inline uint16_t bf16_encode(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace kvasir
