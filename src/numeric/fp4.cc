#include "numeric/fp4.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "numeric/power_of_two.h"

namespace kvasir {

float fp4_decode(uint8_t code) {
  static constexpr float kMagnitudes[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  KVASIR_CHECK(code < 16, "an FP4 code has four bits");
  return (code & 8) != 0 ? -kMagnitudes[code & 7] : kMagnitudes[code];
}

uint8_t fp4_encode(float value) {
  // Midpoint between code i and i + 1; a tie goes to the even one, so odd i gives the midpoint
  // away.
  static constexpr float kMidpoints[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
  const float magnitude = std::fabs(value);
  uint8_t code = 0;
  for (uint8_t i = 0; i < 7; ++i) {
    if (magnitude > kMidpoints[i] || (magnitude == kMidpoints[i] && i % 2 == 1))
      code = static_cast<uint8_t>(i + 1);
  }
  return static_cast<uint8_t>(code | (std::signbit(value) && !std::isnan(value) ? 8 : 0));
}

uint8_t fp4_grid_scale(float amax) {
  return static_cast<uint8_t>(
      127 + exponent_of_next_power_of_two(std::max(amax, 6.0f * 0x1p-126f) / kFp4Max));
}

}  // namespace kvasir
