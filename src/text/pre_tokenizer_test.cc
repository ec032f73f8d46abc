#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/utf8.h"

namespace kvasir::text {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces_of(std::string_view text) {
  Pieces pieces;
  PreTokenizer reader(text);
  for (std::string_view piece = reader.next(); !piece.empty(); piece = reader.next()) {
    pieces.emplace_back(piece);
  }
  return pieces;
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

}  // namespace
}  // namespace kvasir::text
