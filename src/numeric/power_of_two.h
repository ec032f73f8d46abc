// exponent_of_next_power_of_two computes ceil(log2(x)) exactly, from the bits of x. A logarithm's
// last bit could differ between libraries.
#pragma once

#include <bit>
#include <cstdint>

namespace kvasir {

// The smallest e with 2^e >= value, clamped to [-127, 127], the range of a UE8M0 scale. REQUIRES:
// value > 0, finite.
inline int exponent_of_next_power_of_two(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const int exponent = static_cast<int>(bits >> 23) - 127 + ((bits & 0x7fffffu) != 0 ? 1 : 0);
  return exponent < -127 ? -127 : (exponent > 127 ? 127 : exponent);
}

}  // namespace kvasir
