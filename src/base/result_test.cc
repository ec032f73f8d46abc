#include "kvasir/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvasir {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return Error{.what = "value is odd", .found = std::to_string(value)};
  return value / 2;
}

Result<int> quarter(int value) {
  KVASIR_ASSIGN_OR_RETURN(const int once, half(value));
  KVASIR_ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

Status is_even(int value) {
  KVASIR_RETURN_IF_ERROR(half(value));
  return ok_status();
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(4);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 2);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().found, "3");
}

TEST(Result, MacrosPassTheFirstErrorOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().found, "3");
  EXPECT_TRUE(is_even(2).ok());
  EXPECT_EQ(is_even(5).error().found, "5");
}

TEST(Result, CarriesMoveOnlyValues) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(made).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Error, MessageHasTheAgreedOrder) {
  const Error error{.what = "tensor has the wrong shape",
                    .where = "model.safetensors, norm.weight",
                    .offset = 128,
                    .expected = "[64]",
                    .found = "[32]",
                    .remedy = "download it again"};
  EXPECT_EQ(error.message(),
            "tensor has the wrong shape, model.safetensors, norm.weight, offset 128, "
            "expected [64], found [32]; download it again");
}

TEST(Error, EmptyPartsAreLeftOut) {
  EXPECT_EQ(Error{.what = "out of memory"}.message(), "out of memory");
  EXPECT_EQ((Error{.what = "cut short", .offset = 0}.message()), "cut short, offset 0");
}

TEST(Error, OutsideTextStaysOnOneHarmlessLine) {
  const Error error{.what = "no such file", .where = "a\nb\x1b[2J\x7f"};
  EXPECT_EQ(error.message(), "no such file, a\\x0ab\\x1b[2J\\x7f");
}

TEST(Error, LongOutsideTextIsCutBetweenCharacters) {
  std::string text = "x";
  while (text.size() < 1000) text += "\u00fc";
  const std::string message = Error{.what = text}.message();
  EXPECT_EQ(message, text.substr(0, 399) + "...");
}

}  // namespace
}  // namespace kvasir
