#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace kvasir {
namespace {

TEST(StopMatcherTest, TextEndsBeforeTheFirstStopString) {
  StopMatcher matcher({"END", "STOP"});
  EXPECT_EQ(matcher.push("one STOP two END"), "one ");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcherTest, AStopStringAcrossPiecesIsFoundAndItsBeginningNeverShown) {
  StopMatcher matcher({"\nUser:"});
  EXPECT_EQ(matcher.push("Hello.\nUs"), "Hello.");
  EXPECT_EQ(matcher.push("e"), "");
  EXPECT_EQ(matcher.push("r: no"), "");
  EXPECT_TRUE(matcher.matched());
}

TEST(StopMatcherTest, WhatOnlyLookedLikeAStopStringIsGivenOut) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.push("aa"), "");
  EXPECT_EQ(matcher.push("a"), "a");
  EXPECT_EQ(matcher.push("c"), "aac");
  EXPECT_EQ(matcher.push("aa"), "");
  EXPECT_EQ(matcher.flush(), "aa");
  EXPECT_FALSE(matcher.matched());
}

TEST(StopMatcherTest, EmptyStopStringsAreIgnored) {
  StopMatcher matcher({""});
  EXPECT_EQ(matcher.push("text"), "text");
  EXPECT_FALSE(matcher.matched());
}

TEST(StopMatcherTest, AnyCutOfTheTextGivesTheSame) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += static_cast<char>('a' + random() % 3);
    const std::vector<std::string> stops = {"abca", "bb", "ccaa"};
    size_t end = std::string::npos;
    for (const std::string& stop : stops) end = std::min(end, text.find(stop));
    StopMatcher matcher(stops);
    std::string out;
    for (size_t done = 0; done < text.size();) {
      const size_t piece = 1 + random() % 5;
      out += matcher.push(text.substr(done, piece));
      done += piece;
    }
    out += matcher.flush();
    ASSERT_EQ(out, text.substr(0, end)) << text;
  }
}

}  // namespace
}  // namespace kvasir
