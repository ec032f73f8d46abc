#include "checkpoint/config_source.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "checkpoint/config_fields.h"

namespace kvasir {
namespace {

std::string failure(std::string_view text) {
  const auto source = ConfigSource::parse(text, "config.json");
  return source.ok() ? "" : source.error().message();
}

TEST(ConfigSource, NumbersThatOnlyPythonWrites) {
  const auto source = ConfigSource::parse(
      R"({"a": [0.0, Infinity], "b": -Infinity, "c": NaN, "d": "NaN \" Infinity"})", "config.json");
  ASSERT_TRUE(source.ok()) << source.error().message();
  const Json& root = source->root();
  EXPECT_EQ(*(*root.find("a")->as_array())[1].as_string(), "Infinity");
  EXPECT_EQ(*root.find("b")->as_string(), "-Infinity");
  EXPECT_EQ(*root.find("c")->as_string(), "NaN");
  EXPECT_EQ(*root.find("d")->as_string(), "NaN \" Infinity");
}

// Where a number is read they are refused as they stand, unless the number may be endless.
TEST(ConfigSource, AreNoSizes) {
  const auto source =
      ConfigSource::parse(R"({"size": Infinity, "rate": NaN, "limit": Infinity})", "c");
  ASSERT_TRUE(source.ok());
  const Json& root = source->root();
  ConfigFields sizes(root, "c");
  sizes.integer({"size"}, 1, 10);
  ASSERT_TRUE(sizes.error());
  EXPECT_NE(sizes.error()->message().find("Infinity"), std::string::npos);
  ConfigFields rates(root, "c");
  rates.real({"rate"}, 0, 1);
  EXPECT_TRUE(rates.error());
  ConfigFields limits(root, "c");
  EXPECT_GT(limits.real({"limit"}, 0, std::numeric_limits<double>::infinity()), 1e300);
  EXPECT_FALSE(limits.error());
}

TEST(ConfigSource, OffsetsAreThoseOfTheFile) {
  const std::string text = R"({"a": Infinity, "b": NaN, "c": ?})";
  const auto source = ConfigSource::parse(text, "config.json");
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().offset, text.find('?'));
}

TEST(ConfigSource, WhatIsNone) {
  EXPECT_NE(failure("[]").find("malformed"), std::string::npos);
  EXPECT_NE(failure("{").find("malformed"), std::string::npos);
  EXPECT_NE(failure("Infinity").find("a text"), std::string::npos);
  EXPECT_NE(failure("<!doctype html>").find("web page"), std::string::npos);
  EXPECT_NE(failure("").find("empty"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
