#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/test_support.h"
#include "text/tokenizer.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

// Bytes, "ab" 256, " a" 257, "12" 258, "!?" 259.
TokenizerJson with_pairs(const std::string& pre_tokenizer) {
  return {.vocab = R"(, "ab": 256, "Ġa": 257, "12": 258, "!?": 259)",
          .merges = R"("a b", "Ġ a", "1 2", "! ?")",
          .pre_tokenizer = pre_tokenizer};
}

Ids ids(const TokenizerJson& json, std::string_view text) {
  const auto made = make_tokenizer(json);
  if (!made) {
    ADD_FAILURE() << made.error().message();
    return {};
  }
  return made->encode(text, SpecialTokens::kMatch);
}

constexpr const char* kBytes = R"({"type": "ByteLevel", "use_regex": false})";

std::string sequence(const std::string& step) {
  return R"({"type": "Sequence", "pretokenizers": [)" + step + ", " + kBytes + "]}";
}

TEST(TokenizerPipeline, ByteLevelCutsAsGpt2Did) {
  EXPECT_EQ(ids(with_pairs(R"({"type": "ByteLevel"})"), "ab a12!?"), (Ids{256, 257, 258, 259}));
  EXPECT_EQ(ids(with_pairs(kBytes), "xab"), (Ids{'x', 256}));
}

TEST(TokenizerPipeline, DigitsAndPunctuation) {
  const auto digits = [](const std::string& members) {
    return with_pairs(sequence(R"({"type": "Digits")" + members + "}"));
  };
  EXPECT_EQ(ids(digits(R"(, "individual_digits": true)"), "ab12"), (Ids{256, '1', '2'}));
  EXPECT_EQ(ids(digits(""), "ab12"), (Ids{256, 258}));
  EXPECT_EQ(ids(with_pairs(sequence(R"({"type": "Punctuation"})")), "!?"), (Ids{'!', '?'}));
  const std::string together = R"({"type": "Punctuation", "behavior": "Contiguous"})";
  EXPECT_EQ(ids(with_pairs(sequence(together)), "!?"), Ids{259});
}

TEST(TokenizerPipeline, SplitsByTextsAndWhatBecomesOfThem) {
  const std::string start = R"({"type": "Split", "pattern": {"String": "a"}, "behavior": ")";
  EXPECT_EQ(ids(with_pairs(sequence(start + R"(Removed"})")), "xab"), (Ids{'x', 'b'}));
  EXPECT_EQ(ids(with_pairs(sequence(start + R"(MergedWithNext"})")), "xab"), (Ids{'x', 256}));
  EXPECT_EQ(ids(with_pairs(sequence(start + R"(Removed", "invert": true})")), "xab"), Ids{'a'});
  EXPECT_NE(
      make_tokenizer(with_pairs(sequence(start + R"(Eaten"})"))).error().message().find("behavior"),
      std::string::npos);
}

TEST(TokenizerPipeline, NormalFormC) {
  TokenizerJson json = with_pairs(kBytes);
  json.file = R"(, "normalizer": {"type": "NFC"})";
  EXPECT_EQ(ids(json, "e\u0301"), (Ids{0xC3, 0xA9}));
}

TEST(TokenizerPipeline, WholePiecesThatAreTokens) {
  TokenizerJson json = with_pairs(R"({"type": "ByteLevel"})");
  json.vocab +=
      R"(, "Ġxyz": 260, "é": 261)";  // the second is a byte in the alphabet, so it is 0xE9
  json.vocab.resize(json.vocab.find(R"(, "é")"));
  EXPECT_EQ(ids(json, " xyz"), (Ids{' ', 'x', 'y', 'z'}));
  json.model = R"(, "ignore_merges": true)";
  EXPECT_EQ(ids(json, " xyz xyza"), (Ids{260, ' ', 'x', 'y', 'z', 'a'}));
}

TEST(TokenizerPipeline, AddedTokensTakeWhiteSpaceAlong) {
  TokenizerJson json = with_pairs(kBytes);
  json.added = R"({"id": 260, "content": "<r>", "rstrip": true}, {"id": 261, "content": "<l>",)"
               R"( "lstrip": true}, {"id": 262, "content": "ab", "single_word": true})";
  json.vocab = R"(, "Ġa": 257, "12": 258, "!?": 259)";
  json.merges = R"("Ġ a", "1 2", "! ?")";
  EXPECT_EQ(ids(json, "<r>  x  <l>"), (Ids{260, 'x', 261}));
  EXPECT_EQ(ids(json, "ab xab"), (Ids{262, ' ', 'x', 'a', 'b'}));
}

TEST(TokenizerPipeline, WhatATemplatePutsAround) {
  TokenizerJson json = with_pairs(kBytes);
  json.file = R"(, "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"},)"
              R"( {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<b>"}},)"
              R"( {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<e>"}}], "special_tokens":)"
              R"( {"<b>": {"ids": [7, 8]}, "<e>": {"ids": [9]}}}]})";
  const auto made = make_tokenizer(json);
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->frame().before, (Ids{7, 8}));
  EXPECT_EQ(made->frame().after, Ids{9});
  json.file.replace(json.file.find("[9]"), 3, "[-9]");
  EXPECT_FALSE(make_tokenizer(json).ok());
}

}  // namespace
}  // namespace kvasir::text
