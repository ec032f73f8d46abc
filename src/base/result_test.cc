#include "base/system_error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include <memory>

namespace kvasir {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0)
    return Error{.kind = ErrorKind::kUsage, .what = "value is odd", .found = std::to_string(value)};
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
  const Error error{.kind = ErrorKind::kUsage,
                    .what = "tensor has the wrong shape",
                    .where = "model.safetensors, norm.weight",
                    .offset = 128,
                    .expected = "[64]",
                    .found = "[32]",
                    .remedy = "download it again"};
  EXPECT_EQ(error.message(),
            "tensor has the wrong shape, model.safetensors, norm.weight, offset 128, "
            "expected [64], found [32]; download it again");
}

TEST(Error, EveryKindHasItsName) {
  EXPECT_STREQ(name_of(ErrorKind::kUsage), "usage");
  EXPECT_STREQ(name_of(ErrorKind::kInterrupted), "interrupted");
}

TEST(Error, SystemCallsSayWhichKindTheirNumberMeans) {
  EXPECT_EQ(system_error("cannot open", "x", ENOENT).kind, ErrorKind::kNotFound);
  EXPECT_EQ(system_error("cannot write", "x", ENOSPC).kind, ErrorKind::kNoRoom);
  EXPECT_EQ(system_error("cannot open", "x", EMFILE).kind, ErrorKind::kNoMemory);
  EXPECT_EQ(system_error("cannot read", "x", EIO).kind, ErrorKind::kIo);
  EXPECT_EQ(system_error("cannot open", "x", ENOENT).message(),
            "cannot open, x, found No such file or directory");
}

TEST(Error, NamesTheFieldAtFault) {
  EXPECT_EQ((Error{.kind = ErrorKind::kUsage, .what = "out of range", .field = "top_p"}.message()),
            "out of range, top_p");
}

TEST(Error, EmptyPartsAreLeftOut) {
  EXPECT_EQ((Error{.kind = ErrorKind::kNoMemory, .what = "out of memory"}.message()),
            "out of memory");
  EXPECT_EQ((Error{.kind = ErrorKind::kUsage, .what = "cut short", .offset = 0}.message()),
            "cut short, offset 0");
}

TEST(Error, OutsideTextStaysOnOneHarmlessLine) {
  const Error error{.kind = ErrorKind::kUsage, .what = "no such file", .where = "a\nb\x1b[2J\x7f"};
  EXPECT_EQ(error.message(), "no such file, a\\x0ab\\x1b[2J\\x7f");
}

TEST(Error, LongOutsideTextIsCutBetweenCharacters) {
  std::string text = "x";
  while (text.size() < 1000) text += "\u00fc";
  const std::string message = Error{.kind = ErrorKind::kUsage, .what = text}.message();
  EXPECT_EQ(message, text.substr(0, 399) + "...");
}

}  // namespace
}  // namespace kvasir
