#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "numeric/bf16.h"
#include "numeric/f16.h"
#include "numeric/power_of_two.h"

namespace kvasir {
namespace {

TEST(Bf16, EveryValueSurvivesDecodingAndEncoding) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_decode(static_cast<uint16_t>(bits));
    EXPECT_EQ(std::bit_cast<uint32_t>(value), bits << 16);
    const uint16_t again = bf16_encode(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(bf16_decode(again)));
    } else {
      EXPECT_EQ(again, bits);
    }
  }
}

TEST(Bf16, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const uint32_t midpoint = (bits << 16) | 0x8000;
    const auto even = static_cast<uint16_t>(bits + (bits & 1));
    EXPECT_EQ(bf16_encode(std::bit_cast<float>(midpoint - 1)), bits);
    EXPECT_EQ(bf16_encode(std::bit_cast<float>(midpoint)), even);
    EXPECT_EQ(bf16_encode(std::bit_cast<float>(midpoint + 1)), bits + 1);
    EXPECT_EQ(bf16_encode(std::bit_cast<float>(midpoint | 0x80000000u)), even | 0x8000u);
  }
}

TEST(F16, EveryValueIsExact) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = f16_decode(static_cast<uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10) & 31;
    const auto mantissa = static_cast<double>(bits & 1023);
    EXPECT_EQ(std::signbit(value), bits >= 32768);
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(value));
    } else if (exponent == 31) {
      EXPECT_TRUE(std::isinf(value));
    } else {
      const double expected =
          exponent == 0 ? mantissa * 0x1p-24 : std::ldexp(1024 + mantissa, exponent - 25);
      EXPECT_EQ(std::fabs(double{value}), expected);
    }
  }
}

TEST(PowerOfTwo, ExponentIsExact) {
  for (int exponent = -126; exponent <= 126; ++exponent) {
    const float power = std::ldexp(1.0f, exponent);
    EXPECT_EQ(exponent_of_next_power_of_two(power), exponent);
    EXPECT_EQ(exponent_of_next_power_of_two(std::nextafter(power, INFINITY)), exponent + 1);
  }
  EXPECT_EQ(exponent_of_next_power_of_two(std::numeric_limits<float>::max()), 127);
}

}  // namespace
}  // namespace kvasir
