#include "server/dialects/custom_input.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace kvasir::server {
namespace {

struct Case {
  const char* arguments;
  const char* text;
};
constexpr Case kCases[] = {
    {R"({"input": "plain"})", "plain"},
    {R"({"input":""})", ""},
    {" {\n\t\"input\" : \"a\\nb\\\"c\\\\d\\/\" }", "a\nb\"c\\d/"},
    {R"({"input": "\u00e9\ud83d\ude00é😀\t"})", "é😀é😀\t"},
    {R"({"input": "x", "more": "y"})", "x"},
    // Half a pair.
    {R"({"input": "a\ud83db\ud83d\u0041\ude00"})", "a\ufffdb\ufffd\ufffd"},
    {R"({"input": "a\qb"})", "a\ufffdb"},
    // Cut off.
    {R"({"input": "ab)", "ab"},
    {R"({"input": "ab\u00)", "ab"},
    {R"({"inp)", ""},
    // Of another kind.
    {R"({"more": 1, "input": "x"})", "x"},
    {R"({"text": "x"})", R"({"text": "x"})"},
    {R"({"input": 7})", R"({"input": 7})"},
    {"*** Begin Patch", "*** Begin Patch"},
    {"{}", "{}"},
    {"", ""},
};

TEST(CustomInputTest, TheTextIsWhatTheStringSays) {
  for (const auto& [arguments, text] : kCases)
    EXPECT_EQ(custom_input(arguments), text) << arguments;
}

TEST(CustomInputTest, HoweverItIsCutTheTextIsTheSame) {
  for (const auto& [arguments, text] : kCases) {
    const std::string_view whole = arguments;
    for (size_t step = 1; step <= whole.size(); ++step) {
      CustomInput input;
      std::string joined;
      for (size_t at = 0; at < whole.size(); at += step)
        joined += input.add(whole.substr(at, step));
      EXPECT_EQ(joined + input.finish(), text) << arguments << " by " << step;
    }
  }
}

TEST(CustomInputTest, WhatIsKnownIsToldAtOnce) {
  CustomInput input;
  EXPECT_EQ(input.add(R"({"input": "a\)"), "a");
  EXPECT_EQ(input.add(R"(nb)"), "\nb");
  EXPECT_EQ(input.add(R"("})"), "");
  EXPECT_EQ(input.finish(), "");
}

}  // namespace
}  // namespace kvasir::server
