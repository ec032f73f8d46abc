// These functions turn IEEE half precision into float32 and back, one number at a time; every fast
// path is tested against them.
#pragma once

#include <bit>
#include <cstdint>

namespace kvasir {

inline float f16_decode(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

// Rounds to nearest even; beyond 65504 saturates. REQUIRES: finite.
inline uint16_t f16_encode(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  constexpr uint32_t kLargest = 0x477fe000u;         // 65504
  constexpr uint32_t kSmallestNormal = 0x38800000u;  // 2^-14
  if (magnitude >= kLargest) return static_cast<uint16_t>(sign | 0x7bffu);
  if (magnitude < kSmallestNormal) {
    // Adding 2^-1 leaves the number of 2^-24 steps, rounded to even, in the low bits.
    const float anchored = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(anchored) & 0x7ffu));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t rounded = (magnitude + 0xfffu + odd) >> 13;
  return static_cast<uint16_t>(sign | (rounded - (112u << 10)));
}

}  // namespace kvasir
