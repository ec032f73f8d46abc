#include "text/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kvasir::text {
namespace {

std::vector<std::string> matches(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::compile(pattern, "test");
  if (!regex) return {"refused: " + regex.error().message()};
  RegexMatcher matcher(*regex);
  matcher.start(text);
  std::vector<std::string> found;
  while (const auto match = matcher.next()) {
    found.emplace_back(text.substr(match->start, match->end - match->start));
  }
  return found;
}

std::string expected_of(std::string_view pattern) {
  const auto regex = Regex::compile(pattern, "test");
  return regex ? "" : regex.error().expected;
}

using Found = std::vector<std::string>;

TEST(Regex, FirstAlternativeThatFits) {
  EXPECT_EQ(matches("a|ab", "ab"), (Found{"a"}));
  EXPECT_EQ(matches("(?:a|ab)c", "abc"), (Found{"abc"}));
  EXPECT_EQ(matches("x|", "axb"), (Found{"", "x", ""}));
}

TEST(Regex, Repeats) {
  EXPECT_EQ(matches("a{2}", "aaaaa"), (Found{"aa", "aa"}));
  EXPECT_EQ(matches("(?:ab){1,2}", "ababab"), (Found{"abab", "ab"}));
  EXPECT_EQ(matches("(?:ab){2,}", "ab ababab"), (Found{"ababab"}));
  EXPECT_EQ(matches("a+?b?", "aab"), (Found{"a", "ab"}));
  EXPECT_EQ(matches("a*ab", "aaab"), (Found{"aaab"}));
  EXPECT_EQ(matches("a*+ab", "aaab"), Found{});
  EXPECT_EQ(matches("(?>a|ab)c", "abc"), Found{});
  EXPECT_EQ(matches("x{,2}y", "xxxy"), (Found{"xxy"}));
  EXPECT_EQ(matches("a{b", "a{b"), (Found{"a{b"}));
}

TEST(Regex, Sets) {
  EXPECT_EQ(matches("[a-c-]+", "b-d"), (Found{"b-"}));
  EXPECT_EQ(matches("[^\\s\\p{L}]+", "a1! b"), (Found{"1!"}));
  EXPECT_EQ(matches("[\\p{L}&&[^\\p{Han}]]+", "ab中c"), (Found{"ab", "c"}));
  EXPECT_EQ(matches("\\p{Lu}\\P{Lu}+", "AbCd"), (Found{"Ab", "Cd"}));
  EXPECT_EQ(matches("[\\u4e00-\\u9fa5]+", "x中文"), (Found{"中文"}));
  EXPECT_EQ(matches(".", "a\n😀"), (Found{"a", "😀"}));
  EXPECT_EQ(matches("\\w+", "a_1Ⅷ-Ⓐ"), (Found{"a_1Ⅷ", "Ⓐ"}));
}

TEST(Regex, BytesThatAreNoCharacterAreInComplementsOnly) {
  EXPECT_EQ(matches("[^a]", "a\xFF\xC3"), (Found{"\xFF", "\xC3"}));
  EXPECT_EQ(matches("\\p{L}+", "é\xE9"), (Found{"é"}));
  EXPECT_EQ(matches("[^\\s]*x", "\xE4\xB8\xAD\xB8x"), (Found{"\xE4\xB8\xAD\xB8x"}));
}

TEST(Regex, CaseIsIgnoredWhereAsked) {
  EXPECT_EQ(matches("(?i:'s|'ll)|x", "'S'lL'ſX"), (Found{"'S", "'lL", "'ſ"}));
  EXPECT_EQ(matches("(?i:[a-c])d", "CdcD"), (Found{"Cd"}));
}

TEST(Regex, LooksAround) {
  EXPECT_EQ(matches("\\s+(?!\\S)|\\s+", "   x "), (Found{"  ", " ", " "}));
  EXPECT_EQ(matches("a(?=b)", "acab"), (Found{"a"}));
  EXPECT_EQ(matches("(?<=a)b", "bab"), (Found{"b"}));
  EXPECT_EQ(matches("(?<!a)b", "bab"), (Found{"b"}));
  EXPECT_EQ(matches("^a|b$|\\bc", "a\nab\ncc"), (Found{"a", "a", "b", "c"}));
  EXPECT_EQ(matches("\\Aa|b\\z", "ab\nab"), (Found{"a", "b"}));
}

TEST(Regex, CutsWhereAnEmptyMatchIs) {
  const auto regex = Regex::compile("(?=(\\d{3})+(?!\\d))", "test");
  ASSERT_TRUE(regex.ok());
  RegexMatcher matcher(*regex);
  matcher.start("1234567");
  std::vector<size_t> cuts;
  while (const auto match = matcher.next()) cuts.push_back(match->start);
  EXPECT_EQ(cuts, (std::vector<size_t>{1, 4}));
}

TEST(Regex, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(expected_of("\\p{Greek}"), "a known property");
  EXPECT_EQ(expected_of("(a)\\1"), "a known escape");
  EXPECT_EQ(expected_of("(?<name>a)"), "a known kind of group");
  EXPECT_EQ(expected_of("(?<=ab)c"), "one character to look back at");
  EXPECT_EQ(expected_of("(?m:a)"), "a known kind of group");
  EXPECT_EQ(expected_of("(?:a*)*"), "a loop that moves on");
  EXPECT_EQ(expected_of("(?:(?=a)|b?)+"), "a loop that moves on");
  EXPECT_EQ(expected_of("(?:a?){2}"), "a loop that moves on");
  EXPECT_EQ(expected_of("(?:a?){2}"), "a loop that moves on");
  EXPECT_EQ(expected_of("(a"), "a closing parenthesis");
  EXPECT_EQ(expected_of("a)"), "no closing parenthesis here");
  EXPECT_EQ(expected_of("[a"), "a closing bracket");
  EXPECT_EQ(expected_of("[b-a]"), "a range in order");
  EXPECT_EQ(expected_of("[[:alpha:]]"), "no named class");
  EXPECT_EQ(expected_of("*a"), "something to repeat");
  EXPECT_EQ(expected_of("a{1,2}+"), "no sign here");
  EXPECT_EQ(expected_of("a{3,2}"), "bounds in order");
  EXPECT_EQ(expected_of("(?:(?:ab){999}){999}"), "fewer repetitions");
  EXPECT_EQ(expected_of("\\x{110000}"), "a code point");
  EXPECT_EQ(expected_of("a\xFF"), "UTF-8");
  EXPECT_EQ(expected_of(std::string(100, '(')), "fewer groups inside each other");
  EXPECT_FALSE(Regex::compile(std::string(Regex::kPatternBytesMax + 1, 'a'), "test").ok());
}

TEST(Regex, NoExpressionTakesForever) {
  const std::string text = std::string(3000, 'a') + "c";
  EXPECT_EQ(matches("(?:a|a)+b", text), Found{});
  EXPECT_EQ(matches("a*a*a*a*b", text), Found{});
  EXPECT_EQ(matches("[a-z]++b", text), Found{});
}

}  // namespace
}  // namespace kvasir::text
