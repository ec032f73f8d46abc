#include "grammar/regex.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/test_support.h"

namespace kvasir::grammar {
namespace {

struct Case {
  const char* pattern;
  std::vector<const char*> right;
  std::vector<const char*> wrong;
};

TEST(Regex, WhatItReads) {
  const std::vector<Case> cases = {
      {"abc", {"abc"}, {"ab", "abcd", "xabc"}},
      {"^abc$", {"abc"}, {"ab", "^abc$"}},
      {"^a|b$", {"a", "b"}, {"ab", ""}},
      {"a|b|", {"a", "b", ""}, {"c"}},
      {"(?:ab)+c?", {"ab", "ababc"}, {"", "abab cc"}},
      {"(?P<n>a)(?<m>b)", {"ab"}, {"a"}},
      {"a{2}b{1,}c{0,2}", {"aab", "aabbbcc"}, {"ab", "aabccc"}},
      {"a*?b+?", {"b", "aabb"}, {"a"}},
      {"[a-c-]x[^a-c]", {"-xd", "axé"}, {"axb", "dxd"}},
      {"[]a]", {"]", "a"}, {"b"}},
      {"[\\d_.]+", {"1_2.3"}, {"a"}},
      {"\\w\\W\\s\\S\\d\\D", {"a- b1x"}, {"--  1x"}},
      {".", {"a", "é", "😀", "\""}, {"\n", "", "ab", "\xff", "\xc3"}},
      {"[à-ü]{2}", {"éà"}, {"e", "é"}},
      {"\\u00e9\\x41\\u{1F600}\\n\\/", {"éA😀\n/"}, {"eA😀\n/"}},
      {"\\$\\^\\.\\\\", {"$^.\\"}, {"$^a\\"}},
      {"[^\\x00-\\x7f]", {"é", "😀"}, {"a"}},
  };
  for (const Case& one : cases) {
    const auto follower = follower_of(regex_automaton(one.pattern));
    for (const char* text : one.right) EXPECT_TRUE(follower->matches(text)) << one.pattern << text;
    for (const char* text : one.wrong) EXPECT_FALSE(follower->matches(text)) << one.pattern << text;
  }
}

TEST(Regex, WhatItRefuses) {
  for (const char* pattern : {"(",       ")",          "a)",
                              "[",       "[a",         "a{2",
                              "a{3,2}",  "a{,}",       "*",
                              "a**",     "a(?=b)",     "(?!a)",
                              "(?<=a)b", "\\1",        "\\b",
                              "\\pL",    "a\\",        "a^b",
                              "a$b",     "[z-a]",      "[[:alpha:]]",
                              "\\xg1",   "\\ud800",    "\xff",
                              "(?i)a",   "a{1000000}", "((a{999}){999}){9}"}) {
    EXPECT_FALSE(regex_automaton(pattern).ok()) << pattern;
  }
  EXPECT_FALSE(regex_automaton(std::string(20'000, 'a')).ok());
  EXPECT_FALSE(regex_automaton(std::string(100, '(') + "a" + std::string(100, ')')).ok());
}

std::string random_pattern(std::mt19937& random, int depth) {
  const auto pick = [&](int count) {
    return static_cast<int>(random() % static_cast<unsigned>(count));
  };
  const auto inner = [&] { return random_pattern(random, depth - 1); };
  if (depth == 0) {
    constexpr const char* kAtoms[] = {"a", "b", "c", "[ab]", "[^a]", "[b-c]", "\\d", "\\w", "1"};
    return kAtoms[pick(9)];
  }
  switch (pick(6)) {
    case 0:
      return "(" + inner() + "|" + inner() + ")";
    case 1:
      return "(" + inner() + ")*";
    case 2:
      return "(" + inner() + "){" + std::to_string(pick(2)) + "," + std::to_string(1 + pick(3)) +
             "}";
    case 3:
      return "(?:" + inner() + ")?";
    case 4:
      return "(" + inner() + ")+";
    default:
      return inner() + inner();
  }
}

TEST(Regex, MatchesAsTheStandardLibraryDoes) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::string pattern = random_pattern(random, 2);
    const std::regex standard(pattern);
    const auto follower = follower_of(regex_automaton(pattern));
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (size_t size = random() % 7; text.size() < size;) text += "abc1_"[random() % 5];
      EXPECT_EQ(follower->matches(text), std::regex_match(text, standard))
          << pattern << " " << text;
    }
  }
}

TEST(Regex, PatternsThatBacktrackAreFollowedFast) {
  for (const char* pattern : {"(a*)*b", "(a|a)*b", "(a|aa)+b", "((a?){30})b", "(.*)(.*)(.*)b"}) {
    const auto follower = follower_of(regex_automaton(pattern));
    const std::string many(10'000, 'a');
    EXPECT_EQ(follower->matches(many), false) << pattern;
    EXPECT_TRUE(follower->matches("aaab")) << pattern;
  }
}

TEST(Choice, IsOneOfItsTexts) {
  const auto follower = follower_of(choice_automaton({"a", "ab", "abc", "b", "", "é", "è", "a"}));
  for (const char* text : {"a", "ab", "abc", "b", "", "é", "è"}) {
    EXPECT_TRUE(follower->matches(text)) << text;
  }
  for (const char* text : {"ac", "abcd", "e", "\xc3"})
    EXPECT_FALSE(follower->matches(text)) << text;
  EXPECT_FALSE(choice_automaton({}).ok());
  std::vector<std::string> growing;
  for (size_t size = 0; size < 800; ++size) growing.push_back(std::string(size, 'x'));
  const auto deep = follower_of(choice_automaton(growing));
  EXPECT_TRUE(deep->matches(growing.back()));
  EXPECT_FALSE(deep->matches(growing.back() + "x"));
}

}  // namespace
}  // namespace kvasir::grammar
