#include "numeric/fp4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "numeric/fp8.h"

namespace kvasir {
namespace {

uint8_t nearest_code(float value) {
  const uint8_t sign = std::signbit(value) ? 8 : 0;
  uint8_t best = sign;
  double best_distance = std::numeric_limits<double>::infinity();
  for (int magnitude = 0; magnitude < 8; ++magnitude) {
    const auto code = static_cast<uint8_t>(sign | magnitude);
    // Beyond the last code every distance would round to the same one.
    const double bounded = std::clamp(double{value}, -7.0, 7.0);
    const double distance = std::fabs(double{fp4_decode(code)} - bounded);
    if (distance < best_distance || (distance == best_distance && code % 2 == 0)) {
      best = code;
      best_distance = distance;
    }
  }
  return best;
}

TEST(Fp4, DecodesEveryCode) {
  const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (uint8_t code = 0; code < 8; ++code) {
    EXPECT_EQ(fp4_decode(code), values[code]);
    EXPECT_EQ(fp4_decode(code | 8), -values[code]);
    EXPECT_TRUE(std::signbit(fp4_decode(code | 8)));
  }
}

TEST(Fp4, EveryCodeSurvivesDecodingAndEncoding) {
  for (uint8_t code = 0; code < 16; ++code) EXPECT_EQ(fp4_encode(fp4_decode(code)), code);
}

TEST(Fp4, RoundsToNearestEven) {
  for (const float midpoint : {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f}) {
    for (const float value :
         {std::nextafter(midpoint, 0.0f), midpoint, std::nextafter(midpoint, 10.0f)}) {
      EXPECT_EQ(fp4_encode(value), nearest_code(value)) << value;
      EXPECT_EQ(fp4_encode(-value), nearest_code(-value)) << -value;
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value) || std::isinf(value)) continue;
    ASSERT_EQ(fp4_encode(value), nearest_code(value)) << value;
  }
}

TEST(Fp4, SaturatesAndTurnsNanIntoZero) {
  EXPECT_EQ(fp4_encode(1e30f), 7);
  EXPECT_EQ(fp4_encode(-std::numeric_limits<float>::infinity()), 15);
  EXPECT_EQ(fp4_encode(std::numeric_limits<float>::quiet_NaN()), 0);
}

TEST(Fp4, GridScaleIsTheSmallestPowerThatFits) {
  EXPECT_EQ(fp4_grid_scale(6.0f), 127);
  EXPECT_EQ(fp4_grid_scale(std::nextafter(6.0f, 10.0f)), 128);
  EXPECT_EQ(fp4_grid_scale(0.0f), 1);
  EXPECT_EQ(fp4_grid_scale(6.0f * 0x1p-126f), 1);
  EXPECT_EQ(fp4_grid_scale(0x1.8p100f), 127 + 98);
}

}  // namespace
}  // namespace kvasir
