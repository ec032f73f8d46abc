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

TEST(StopMatcherTest, TellsWhichStopStringEndedTheText) {
  StopMatcher matcher({"END", "STOP"});
  matcher.push("one ST");
  EXPECT_EQ(matcher.matched_string(), "");
  matcher.push("OP two END");
  EXPECT_EQ(matcher.matched_string(), "STOP");
}

TEST(StopMatcherTest, TheOneThatIsCompleteFirstEndsTheTextAndOfTwoTheLongest) {
  for (const size_t piece_bytes : {1, 2, 5}) {
    StopMatcher matcher({"bcd", "c", "bc", "abcde"});
    const std::string text = "abcde";
    std::string out;
    for (size_t i = 0; i < text.size(); i += piece_bytes) {
      out += matcher.push(text.substr(i, piece_bytes));
    }
    EXPECT_EQ(out, "a") << piece_bytes;
    EXPECT_EQ(matcher.matched_string(), "bc") << piece_bytes;
  }
}

TEST(StopMatcherTest, WhatIsHeldBackBeginsWithAWholeCharacter) {
  StopMatcher matcher({"\xa9!"});
  EXPECT_EQ(matcher.push("caf\xc3\xa9"), "caf");
  EXPECT_EQ(matcher.push("s"), "\xc3\xa9s");
}

// What ends a text: the stop string that is complete first, of several the longest.
struct Ending {
  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  std::string stop;
};

Ending plain_ending(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    Ending ending;
    for (const std::string& stop : stops) {
      if (!stop.empty() && stop.size() > ending.stop.size() &&
          std::string_view(text).substr(0, end).ends_with(stop)) {
        ending = {end - stop.size(), end, stop};
      }
    }
    if (!ending.stop.empty()) return ending;
  }
  return {};
}

TEST(StopMatcherTest, AnyStopStringsAndAnyCutGiveTheDefinition) {
  std::mt19937 random(2);
  const auto random_text = [&](size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random() % 30);
    std::vector<std::string> stops;
    for (size_t i = random() % 4; i > 0; --i) stops.push_back(random_text(random() % 9));
    const Ending ending = plain_ending(text, stops);
    StopMatcher matcher(stops);
    std::string out;
    for (size_t done = 0; done < text.size() && !matcher.matched();) {
      const size_t piece_bytes = 1 + random() % 5;
      out += matcher.push(text.substr(done, piece_bytes));
      done += piece_bytes;
      // Found as soon as it is there.
      ASSERT_EQ(matcher.matched(), std::min(done, text.size()) >= ending.end) << text;
    }
    out += matcher.flush();
    ASSERT_EQ(out, text.substr(0, ending.begin)) << text;
    ASSERT_EQ(matcher.matched_string(), ending.stop) << text;
  }
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
