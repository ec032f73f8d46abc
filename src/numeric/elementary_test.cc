#include "numeric/elementary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace kvasir::numeric {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Against the system's library, which is within one unit of the last place.
void expect_near(double value, double expected, double units, double x) {
  const double unit = std::nextafter(std::abs(expected), kInfinity) - std::abs(expected);
  EXPECT_LE(std::abs(value - expected), units * unit) << "at " << x << ", expected " << expected;
}

double anywhere(std::mt19937_64& random, double begin, double end) {
  return std::uniform_real_distribution<double>(begin, end)(random);
}

TEST(Elementary, ExponentialsAreWithinTwoUnits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double x = i % 2 == 0 ? anywhere(random, -700, 700) : anywhere(random, -1, 1);
    expect_near(exp(x), std::exp(x), 2, x);
  }
  EXPECT_EQ(exp(0), 1);
  EXPECT_EQ(exp(-kInfinity), 0);
  EXPECT_EQ(exp(-800), 0);
  EXPECT_EQ(exp(kInfinity), kInfinity);
  EXPECT_EQ(exp(710), kInfinity);
  EXPECT_TRUE(std::isnan(exp(std::nan(""))));
}

TEST(Elementary, LogarithmsAreWithinTwoUnits) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    const double x = i % 2 == 0 ? std::exp(anywhere(random, -600, 600)) : anywhere(random, 0.5, 2);
    expect_near(log(x), std::log(x), 2, x);
  }
  EXPECT_EQ(log(1), 0);
  EXPECT_EQ(log(0), -kInfinity);
  EXPECT_EQ(log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log(-1)));
}

TEST(Elementary, PowersAreWithinTwoUnits) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    const double base = std::exp(anywhere(random, -20, 20));
    const double exponent = anywhere(random, -20, 20);
    expect_near(pow(base, exponent), std::pow(base, exponent), 2, base);
  }
  for (const double theta : {1e4, 5e5, 1e6, 1e8}) {
    for (int pair = 0; pair < 64; ++pair) {
      const double exponent = -pair / 64.0;
      expect_near(pow(theta, exponent), std::pow(theta, exponent), 2, exponent);
    }
  }
  EXPECT_EQ(pow(1e4, 0), 1);
  EXPECT_TRUE(std::isnan(pow(-2, 3)));
}

TEST(Elementary, HyperbolicTangentsAreWithinThreeUnits) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20000; ++i) {
    const double x = i % 2 == 0 ? anywhere(random, -25, 25) : anywhere(random, -0.5, 0.5);
    expect_near(tanh(x), std::tanh(x), 3, x);
  }
  for (const double x : {0.0, 1e-300, -1e-12, 1e-4, -40.0, kInfinity}) {
    expect_near(tanh(x), std::tanh(x), 3, x);
  }
  EXPECT_TRUE(std::isnan(tanh(std::nan(""))));
}

TEST(Elementary, WhatRoutersUseIsRightToTheLastPlace) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<float>(anywhere(random, -40, 40));
    EXPECT_FLOAT_EQ(sigmoid(x), static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))));
    EXPECT_FLOAT_EQ(softplus(x), static_cast<float>(std::log1p(std::exp(static_cast<double>(x)))));
  }
  EXPECT_EQ(softplus(1000), 1000);
  EXPECT_EQ(sigmoid(-1000), 0);
}

TEST(Elementary, SinesAreNearForAllAnglesThatPositionsMake) {
  std::mt19937_64 random(5);
  for (const double most : {1.0, 100.0, 1e4, 1e6, kAngleMax}) {
    for (int i = 0; i < 20000; ++i) {
      const double x = anywhere(random, -most, most);
      EXPECT_NEAR(sin_cos(x).sine, std::sin(x), 4e-16) << x;
      EXPECT_NEAR(sin_cos(x).cosine, std::cos(x), 4e-16) << x;
    }
  }
  for (double x = 0; x < 100000; ++x) {
    ASSERT_NEAR(sin_cos(x).sine, std::sin(x), 4e-16) << x;
    ASSERT_NEAR(sin_cos(x).cosine, std::cos(x), 4e-16) << x;
  }
  EXPECT_EQ(sin_cos(0).sine, 0);
  EXPECT_EQ(sin_cos(0).cosine, 1);
}

// Such angles come of configs that no model has.
TEST(Elementary, SinesOfAnglesBeyondAllPositionsAreSinesStill) {
  for (const double x : {2 * kAngleMax, -1e15, 1e300}) {
    const SineAndCosine both = sin_cos(x);
    EXPECT_NEAR(both.sine * both.sine + both.cosine * both.cosine, 1, 1e-15) << x;
  }
  EXPECT_NEAR(sin_cos(1e9).sine, std::sin(1e9), 1e-6);
  for (const double x : {kInfinity, -kInfinity, std::nan("")}) {
    EXPECT_TRUE(std::isnan(sin_cos(x).sine));
    EXPECT_TRUE(std::isnan(sin_cos(x).cosine));
  }
}

// On whatever machine this runs.
TEST(Elementary, BitsAreThese) {
  EXPECT_EQ(exp(1.25), 0x1.bec38edb0fafp+1);
  EXPECT_EQ(log(3.75), 0x1.525e973a0564fp+0);
  EXPECT_EQ(pow(1e6, -0.3125), 0x1.b4f7e2b2c2a95p-7);
  EXPECT_EQ(tanh(0.1), 0x1.983d7795f413ap-4);
  EXPECT_EQ(tanh(0.75), 0x1.45323e552f228p-1);
  EXPECT_EQ(sin_cos(123456.75).sine, -0x1.fff56feed772bp-1);
  EXPECT_EQ(sin_cos(123456.75).cosine, 0x1.9fff2c9c4e6e4p-7);
}

}  // namespace
}  // namespace kvasir::numeric
