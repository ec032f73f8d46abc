#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/pre_tokenizer_names.h"

namespace kvasir::text {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces_of(std::string_view text, const PreTokenizer& pre_tokenizer) {
  Pieces pieces;
  PieceCutter cutter(pre_tokenizer);
  cutter.cut(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

PreTokenizer make(const std::vector<SplitStep>& steps) {
  auto made = PreTokenizer::build(steps, "test");
  EXPECT_TRUE(made.ok());
  return *std::move(made);
}

PreTokenizer make_named(std::string_view name) {
  const auto named = named_pre_tokenizer(name);
  EXPECT_TRUE(named.has_value()) << name;
  return make(named ? named->steps : std::vector<SplitStep>());
}

Pieces pieces_by(std::string_view name, std::string_view text) {
  return pieces_of(text, make_named(name));
}

// As DeepSeek's tokenizers cut it.
Pieces pieces_of(std::string_view text) {
  static const PreTokenizer deepseek = make_named("deepseek-v3");
  return pieces_of(text, deepseek);
}

TEST(UnicodeCategory, OneOfEach) {
  EXPECT_EQ(category_of('a'), Category::kLetter);
  EXPECT_EQ(category_of(0x301), Category::kMark);
  EXPECT_EQ(category_of(0x664), Category::kNumber);
  EXPECT_EQ(category_of(0x3007), Category::kNumber);
  EXPECT_EQ(category_of('!'), Category::kPunctuation);
  EXPECT_EQ(category_of('~'), Category::kSymbol);
  EXPECT_EQ(category_of(0x3000), Category::kSpace);
  EXPECT_EQ(category_of(0x85), Category::kSpace);
  EXPECT_EQ(category_of(0), Category::kOther);
  EXPECT_EQ(category_of(0x1C), Category::kOther);
  EXPECT_EQ(category_of(0x200B), Category::kOther);
  EXPECT_EQ(category_of(0x10FFFF), Category::kOther);
  EXPECT_EQ(category_of(kInvalidByte), Category::kOther);
  EXPECT_EQ(category_of(UINT32_MAX), Category::kOther);
}

TEST(UnicodeCategory, CountsOfTheGeneratedTable) {
  std::vector<int> counts(7);
  for (uint32_t c = 0; c < 0x110000; ++c) ++counts[static_cast<size_t>(category_of(c))];
  EXPECT_EQ(counts[static_cast<size_t>(Category::kLetter)], 141028);
  EXPECT_EQ(counts[static_cast<size_t>(Category::kMark)], 2501);
  EXPECT_EQ(counts[static_cast<size_t>(Category::kNumber)], 1911);
  EXPECT_EQ(counts[static_cast<size_t>(Category::kPunctuation)], 855);
  EXPECT_EQ(counts[static_cast<size_t>(Category::kSymbol)], 8514);
  EXPECT_EQ(counts[static_cast<size_t>(Category::kSpace)], 25);
}

TEST(PreTokenizer, Words) {
  EXPECT_EQ(pieces_of("Hello, world"), (Pieces{"Hello", ",", " world"}));
  EXPECT_EQ(pieces_of("don't x_1"), (Pieces{"don", "'t", " x", "_", "1"}));
  EXPECT_EQ(pieces_of("e\u0301a \u0301b"), (Pieces{"e\u0301a", " \u0301b"}));
  EXPECT_EQ(pieces_of("a\u200Db\tc"), (Pieces{"a", "\u200Db", "\tc"}));
  EXPECT_EQ(pieces_of("\u0301\u0301a!\u0301b"), (Pieces{"\u0301\u0301a", "!", "\u0301b"}));
}

TEST(PreTokenizer, Numbers) {
  EXPECT_EQ(pieces_of("1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(pieces_of("  12a"), (Pieces{"  ", "12", "a"}));
  EXPECT_EQ(pieces_of("½٣1Ⅷ"), (Pieces{"½٣1", "Ⅷ"}));
}

TEST(PreTokenizer, IdeographsAndKanaStandApart) {
  EXPECT_EQ(pieces_of("a中文b"), (Pieces{"a", "中文", "b"}));
  EXPECT_EQ(pieces_of(" 中カな"), (Pieces{" ", "中カな"}));
  EXPECT_EQ(pieces_of("カ・カ"), (Pieces{"カ", "・", "カ"}));
  EXPECT_EQ(pieces_of("中\u0301\u3400"), (Pieces{"中", "\u0301\u3400"}));
}

TEST(PreTokenizer, PunctuationAndSymbols) {
  EXPECT_EQ(pieces_of(" ~~~"), (Pieces{" ~~~"}));
  EXPECT_EQ(pieces_of("!abc!"), (Pieces{"!abc", "!"}));
  EXPECT_EQ(pieces_of("!!abc"), (Pieces{"!!", "abc"}));
  EXPECT_EQ(pieces_of("...\r\n\n x"), (Pieces{"...\r\n\n", " x"}));
  EXPECT_EQ(pieces_of("，é"), (Pieces{"，", "é"}));
  EXPECT_EQ(pieces_of("\t!"), (Pieces{"\t", "!"}));
}

TEST(PreTokenizer, WhiteSpace) {
  EXPECT_EQ(pieces_of("   x"), (Pieces{"  ", " x"}));
  EXPECT_EQ(pieces_of("x   "), (Pieces{"x", "   "}));
  EXPECT_EQ(pieces_of("  \n\n x"), (Pieces{"  \n\n", " x"}));
  EXPECT_EQ(pieces_of(" \n \n  "), (Pieces{" \n \n", "  "}));
  EXPECT_EQ(pieces_of("\u3000\u3000x"), (Pieces{"\u3000", "\u3000x"}));
  EXPECT_EQ(pieces_of("  1"), (Pieces{"  ", "1"}));
  EXPECT_EQ(pieces_of("\nx"), (Pieces{"\n", "x"}));
}

TEST(PreTokenizer, WhatMatchesNowhereStaysTogether) {
  EXPECT_EQ(pieces_of(std::string_view("a\0\1b\0\1 ", 7)),
            (Pieces{"a", std::string(1, '\0'), "\1b", std::string("\0\1", 2), " "}));
  EXPECT_EQ(pieces_of("\xFF\xFEx\xC3 "), (Pieces{"\xFF", "\xFEx", "\xC3", " "}));
  EXPECT_EQ(pieces_of(""), Pieces{});
}

TEST(PreTokenizer, PiecesOfAnyBytesAreTheText) {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 24, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? random() : "a 1\n!\xE4\xB8\xAD"[random() % 8]);
    std::string joined;
    for (const std::string& piece : pieces_of(text)) joined += piece;
    ASSERT_EQ(joined, text);
  }
}

TEST(PreTokenizer, NamesOfGgufFiles) {
  const std::string text = "I'LL say 12345 Ünïts\u0301x\n  HTMLParser's...\n /x";
  EXPECT_EQ(pieces_by("llama-bpe", text),
            (Pieces{"I", "'LL", " say", " ", "123", "45", " Ünïts", "\u0301x", "\n", " ",
                    " HTMLParser", "'s", "...\n", " /", "x"}));
  EXPECT_EQ(pieces_by("qwen2", "a 123"), (Pieces{"a", " ", "1", "2", "3"}));
  EXPECT_EQ(pieces_by("qwen35", "Ünïts\u0301x"), (Pieces{"Ünïts\u0301x"}));
  EXPECT_EQ(pieces_by("smollm", "I'LL a12 b's"),
            (Pieces{"I", "'", "LL", " a", "1", "2", " b", "'s"}));
  EXPECT_EQ(pieces_by("gpt-2", " 12345  x"), (Pieces{" 12345", " ", " x"}));
  EXPECT_EQ(pieces_by("gpt-4o", text), (Pieces{"I'LL", " say", " ", "123", "45", " Ünïts\u0301x",
                                               "\n", " ", " HTMLParser's", "...\n", " /", "x"}));
  EXPECT_EQ(pieces_by("gpt-4o", "fooBAR ../\n"), (Pieces{"foo", "BAR", " ../\n"}));
  EXPECT_EQ(pieces_by("tekken", "I'LL 12"), (Pieces{"I", "'LL", " ", "1", "2"}));
  EXPECT_EQ(pieces_by("falcon", "a+b 1234 c"), (Pieces{"a", "+", "b", " ", "123", "4", " c"}));
  EXPECT_EQ(pieces_by("gemma4", "a b\n\nc"), (Pieces{"a b", "\n\n", "c"}));
  for (const char* unknown : {"default", "", " ", "llama", "llama-bpe llama3"}) {
    EXPECT_FALSE(named_pre_tokenizer(unknown).has_value()) << unknown;
  }
}

TEST(PreTokenizer, WhatBecomesOfMatches) {
  const auto cut = [](SplitBehavior behavior, bool inverted = false) {
    return pieces_of("a--b-", make({{"-", true, behavior, inverted}}));
  };
  EXPECT_EQ(cut(SplitBehavior::kIsolated), (Pieces{"a", "-", "-", "b", "-"}));
  EXPECT_EQ(cut(SplitBehavior::kRemoved), (Pieces{"a", "b"}));
  EXPECT_EQ(cut(SplitBehavior::kContiguous), (Pieces{"a", "--", "b", "-"}));
  EXPECT_EQ(cut(SplitBehavior::kMergedWithPrevious), (Pieces{"a-", "-", "b-"}));
  EXPECT_EQ(cut(SplitBehavior::kMergedWithNext), (Pieces{"a", "-", "-b", "-"}));
  EXPECT_EQ(cut(SplitBehavior::kRemoved, true), (Pieces{"-", "-", "-"}));
  EXPECT_EQ(pieces_of("1234567", make({{"(?=(\\d{3})+(?!\\d))"}})), (Pieces{"1", "234", "567"}));
}

TEST(PreTokenizer, LongRunsTakeNoQuadraticTime) {
  for (const char* name : {"llama-bpe", "gpt-4o", "deepseek-v3", "smollm", "falcon", "tekken"}) {
    const PreTokenizer pre_tokenizer = make_named(name);
    for (const char c : {'a', 'A', ' ', '\n', '!', '\0', '\xFF'}) {
      const std::string run(1 << 18, c);
      EXPECT_LE(pieces_of(run + "x", pre_tokenizer).size(), 3u) << name << int{c};
    }
  }
}

}  // namespace
}  // namespace kvasir::text
