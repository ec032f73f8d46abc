#include "numeric/fp8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace kvasir {
namespace {

bool is_nan_code(uint8_t code) { return (code & 0x7f) == 0x7f; }

// The nearest code of the value's sign, the even one of two equally near. Codes below `end` are
// finite.
uint8_t nearest_code(float value, uint8_t end, float (*decode)(uint8_t code)) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  // Beyond the last code every distance would round to the same one.
  const double limit = 1.5 * decode(static_cast<uint8_t>(end - 1));
  const double bounded = std::clamp(double{value}, -limit, limit);
  uint8_t best = sign;
  double best_distance = std::numeric_limits<double>::infinity();
  for (uint8_t magnitude = 0; magnitude < end; ++magnitude) {
    const auto code = static_cast<uint8_t>(sign | magnitude);
    const double distance = std::fabs(double{decode(code)} - bounded);
    if (distance < best_distance || (distance == best_distance && code % 2 == 0)) {
      best = code;
      best_distance = distance;
    }
  }
  return best;
}

uint8_t nearest_code(float value) { return nearest_code(value, 0x7f, fp8_decode); }
uint8_t nearest_e5m2_code(float value) { return nearest_code(value, 0x7c, e5m2_decode); }

TEST(Fp8, DecodesTheLandmarks) {
  EXPECT_EQ(fp8_decode(0x00), 0.0f);
  EXPECT_TRUE(std::signbit(fp8_decode(0x80)));
  EXPECT_EQ(fp8_decode(0x01), 0x1p-9f);
  EXPECT_EQ(fp8_decode(0x07), 7 * 0x1p-9f);
  EXPECT_EQ(fp8_decode(0x08), 0x1p-6f);
  EXPECT_EQ(fp8_decode(0x38), 1.0f);
  EXPECT_EQ(fp8_decode(0xb9), -1.125f);
  EXPECT_EQ(fp8_decode(0x7e), 448.0f);
  EXPECT_TRUE(std::isnan(fp8_decode(0x7f)));
  EXPECT_TRUE(std::isnan(fp8_decode(0xff)));
}

TEST(Fp8, MagnitudesRiseWithTheCode) {
  for (int code = 0; code < 0x7e; ++code) {
    EXPECT_LT(fp8_decode(static_cast<uint8_t>(code)), fp8_decode(static_cast<uint8_t>(code + 1)));
  }
}

TEST(Fp8, EveryCodeSurvivesDecodingAndEncoding) {
  for (int code = 0; code < 256; ++code) {
    EXPECT_EQ(fp8_encode(fp8_decode(static_cast<uint8_t>(code))), code);
  }
}

TEST(Fp8, MidpointsAndTheirNeighboursRoundToNearestEven) {
  for (int code = 0; code < 256; ++code) {
    const auto lower = static_cast<uint8_t>(code);
    const auto upper = static_cast<uint8_t>(code + 1);
    if (is_nan_code(lower) || is_nan_code(upper)) continue;
    const float midpoint = (fp8_decode(lower) + fp8_decode(upper)) / 2;
    for (const float value :
         {std::nextafter(midpoint, -1000.0f), midpoint, std::nextafter(midpoint, 1000.0f)}) {
      EXPECT_EQ(fp8_encode(value), nearest_code(value)) << value;
    }
  }
}

TEST(Fp8, RandomValuesOfEveryExponentRoundToNearestEven) {
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(fp8_encode(value), nearest_code(value)) << value;
  }
}

TEST(Fp8, SaturatesAndKeepsNan) {
  EXPECT_EQ(fp8_encode(1e30f), 0x7e);
  EXPECT_EQ(fp8_encode(-std::numeric_limits<float>::infinity()), 0xfe);
  EXPECT_EQ(fp8_encode(std::numeric_limits<float>::quiet_NaN()), 0x7f);
}

TEST(E5m2, DecodesTheLandmarks) {
  EXPECT_EQ(e5m2_decode(0x00), 0.0f);
  EXPECT_TRUE(std::signbit(e5m2_decode(0x80)));
  EXPECT_EQ(e5m2_decode(0x01), 0x1p-16f);
  EXPECT_EQ(e5m2_decode(0x04), 0x1p-14f);
  EXPECT_EQ(e5m2_decode(0x3c), 1.0f);
  EXPECT_EQ(e5m2_decode(0xbd), -1.25f);
  EXPECT_EQ(e5m2_decode(0x7b), 57344.0f);
  EXPECT_TRUE(std::isinf(e5m2_decode(0xfc)));
  EXPECT_TRUE(std::isnan(e5m2_decode(0x7f)));
}

TEST(E5m2, MidpointsAndTheirNeighboursRoundToNearestEven) {
  for (int code = 0; code < 0x7b; ++code) {
    EXPECT_EQ(e5m2_encode(e5m2_decode(static_cast<uint8_t>(code))), code);
    const float midpoint =
        (e5m2_decode(static_cast<uint8_t>(code)) + e5m2_decode(static_cast<uint8_t>(code + 1))) / 2;
    for (const float value :
         {std::nextafter(midpoint, 0.0f), midpoint, std::nextafter(midpoint, 1e6f)}) {
      EXPECT_EQ(e5m2_encode(value), nearest_e5m2_code(value)) << value;
      EXPECT_EQ(e5m2_encode(-value), nearest_e5m2_code(-value)) << value;
    }
  }
}

TEST(E5m2, RandomValuesOfEveryExponentRoundToNearestEven) {
  std::mt19937 random(3);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(e5m2_encode(value), nearest_e5m2_code(value)) << value;
  }
}

TEST(E5m2, SaturatesAndKeepsNan) {
  EXPECT_EQ(e5m2_encode(1e30f), 0x7b);
  EXPECT_EQ(e5m2_encode(-std::numeric_limits<float>::infinity()), 0xfb);
  EXPECT_TRUE(std::isnan(e5m2_decode(e5m2_encode(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Ue8m0, IsAPowerOfTwo) {
  for (int code = 0; code < 255; ++code) {
    EXPECT_EQ(ue8m0_decode(static_cast<uint8_t>(code)), std::ldexp(1.0, code - 127));
  }
  EXPECT_TRUE(std::isnan(ue8m0_decode(255)));
}

TEST(Fp8, GridScaleIsTheSmallestPowerThatFits) {
  EXPECT_EQ(fp8_grid_scale(448.0f), 127);
  EXPECT_EQ(fp8_grid_scale(std::nextafter(448.0f, 1000.0f)), 128);
  EXPECT_EQ(fp8_grid_scale(0.0f), fp8_grid_scale(1e-4f));
  std::mt19937 random(2);
  for (int i = 0; i < 100000; ++i) {
    const float amax = std::ldexp(1.0f + static_cast<float>(random() % 8388608) * 0x1p-23f,
                                  static_cast<int>(random() % 130) - 12);
    const double scale = ue8m0_decode(fp8_grid_scale(amax));
    // The rule divides in float32 first, so a hair above 448 may still count as 448.
    EXPECT_LE(amax, 448.0 * scale * (1 + 0x1p-23));
    EXPECT_GT(amax, 448.0 * scale / 2);
  }
}

}  // namespace
}  // namespace kvasir
