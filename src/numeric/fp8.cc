#include "numeric/fp8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "numeric/f16.h"
#include "numeric/power_of_two.h"

namespace kvasir {

float fp8_decode(uint8_t code) {
  const int exponent = (code >> 3) & 0xf;
  const int mantissa = code & 0x7;
  if (exponent == 0xf && mantissa == 0x7) {
    return std::copysign(std::numeric_limits<float>::quiet_NaN(),
                         (code & 0x80) != 0 ? -1.0f : 1.0f);
  }
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

uint8_t fp8_encode(float value) {
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  if (std::isnan(value)) return sign | 0x7f;
  const float magnitude = std::min(std::fabs(value), kFp8Max);
  if (magnitude < 0x1p-6f) {
    // Subnormals are multiples of 2^-9; rounding up to 8 steps gives the code of the smallest
    // normal.
    return static_cast<uint8_t>(sign | static_cast<uint8_t>(std::nearbyint(magnitude * 0x1p9f)));
  }
  // Adding half a step minus one, plus the lowest kept bit, carries exactly when nearest-even
  // rounds up.
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  const uint32_t rounded = bits + 0x7ffffu + ((bits >> 20) & 1u);
  return static_cast<uint8_t>(sign | ((rounded >> 20) - (uint32_t{127 - 7} << 3)));
}

float e5m2_decode(uint8_t code) { return f16_decode(static_cast<uint16_t>(code << 8)); }

uint8_t e5m2_encode(float value) {
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  if (std::isnan(value)) return sign | 0x7f;
  const float magnitude = std::min(std::fabs(value), kE5m2Max);
  if (magnitude < 0x1p-14f) {
    // As for E4M3, with steps of 2^-16 of which 4 are the smallest normal.
    return static_cast<uint8_t>(sign | static_cast<uint8_t>(std::nearbyint(magnitude * 0x1p16f)));
  }
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  const uint32_t rounded = bits + 0xfffffu + ((bits >> 21) & 1u);
  return static_cast<uint8_t>(sign | ((rounded >> 21) - (uint32_t{127 - 15} << 2)));
}

float ue8m0_decode(uint8_t code) {
  if (code == 255) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, int{code} - 127);
}

uint8_t fp8_grid_scale(float amax) {
  return static_cast<uint8_t>(127 + exponent_of_next_power_of_two(std::max(amax, 1e-4f) / kFp8Max));
}

}  // namespace kvasir
