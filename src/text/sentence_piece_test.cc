#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/stream_decoder.h"
#include "text/test_support.h"
#include "text/tokenizer.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

constexpr std::string_view kLlamaNormalizer =
    R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},)"
    R"( {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})";
constexpr std::string_view kGemmaNormalizer =
    R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})";
constexpr std::string_view kStrip = R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})";

// A tokenizer.json of SentencePiece's kind: three control tokens, the bytes from id 3 on, then
// characters and what merges make of them.
struct SentencePieceJson {
  std::string normalizer = std::string(kLlamaNormalizer);
  std::string pre_tokenizer = "null";
  std::string strip = std::string(kStrip);
  std::string vocab;   // members: ", \"b\": 300"
  std::string merges;  // elements: ", [\"a\", \"b\"]"
  std::string added;   // elements
  std::string model = R"("byte_fallback": true)";
  std::string file;  // members

  std::string str() const {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) {
      char text[32];
      std::snprintf(text, sizeof text, ", \"<0x%02X>\": %d", byte, 3 + byte);
      bytes += text;
    }
    return R"({"normalizer": )" + normalizer + R"(, "pre_tokenizer": )" + pre_tokenizer +
           R"(, "decoder": {"type": "Sequence", "decoders": [{"type": "Replace",)"
           R"( "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},)"
           R"( {"type": "Fuse"})" +
           strip +
           R"(]}, "added_tokens": [{"id": 0, "content": "<unk>", "special": true},)"
           R"( {"id": 1, "content": "<s>", "special": true},)"
           R"( {"id": 2, "content": "</s>", "special": true})" +
           added + R"(], "model": {"type": "BPE", )" + model +
           R"(, "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2)" + bytes +
           R"(, "▁": 259, "a": 260, "b": 261, "é": 262, "▁a": 263, "ab": 264, "▁ab": 265)" + vocab +
           R"(}, "merges": [["▁", "a"], ["a", "b"], ["▁a", "b"])" + merges + "]}" + file + "}";
  }
};

Tokenizer make(const SentencePieceJson& json) {
  auto made = Tokenizer::parse(json.str(), "made.json");
  if (!made) ADD_FAILURE() << made.error().message();
  return *std::move(made);
}

std::string refusal(const SentencePieceJson& json) {
  const auto made = Tokenizer::parse(json.str(), "made.json");
  return made ? "" : made.error().message();
}

Ids matched(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, SpecialTokens::kMatch);
}

Ids plain(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, SpecialTokens::kIgnore);
}

TEST(SentencePiece, BlanksAreSigns) {
  const Tokenizer tokenizer = make({});
  EXPECT_EQ(plain(tokenizer, ""), Ids{});
  EXPECT_EQ(plain(tokenizer, "ab"), Ids{265});
  EXPECT_EQ(plain(tokenizer, " ab"), (Ids{259, 265}));
  EXPECT_EQ(plain(tokenizer, "a ab"), (Ids{263, 265}));
  EXPECT_EQ(plain(tokenizer, "bb"), (Ids{259, 261, 261}));
}

TEST(SentencePiece, WhatIsNoTokenBecomesBytes) {
  const Tokenizer tokenizer = make({});
  EXPECT_EQ(plain(tokenizer, "\né中"), (Ids{259, 3 + '\n', 262, 3 + 0xE4, 3 + 0xB8, 3 + 0xAD}));
  EXPECT_EQ(plain(tokenizer, "\xFF"), (Ids{259, 3 + 0xFF}));
}

TEST(SentencePiece, EachStretchBetweenMarkersGetsItsBlank) {
  const Tokenizer tokenizer = make({});
  EXPECT_EQ(matched(tokenizer, "<s>a</s>a"), (Ids{1, 263, 2, 263}));
  const Tokenizer gemma = make({.normalizer = std::string(kGemmaNormalizer), .strip = ""});
  EXPECT_EQ(matched(gemma, "<s>a a"), (Ids{1, 260, 263}));
}

TEST(SentencePiece, NoTextForgesAMarkerOrAByte) {
  const Tokenizer tokenizer =
      make({.vocab = R"(, "<": 266, "s": 267, ">": 268, "<s": 269, "0": 270, "x": 271)",
            .merges = R"(, ["<", "s"], ["<s", ">"])"});
  EXPECT_EQ(plain(tokenizer, "<s>"), (Ids{259, 269, 268}));
  EXPECT_EQ(matched(tokenizer, "<s>"), Ids{1});
  EXPECT_EQ(plain(tokenizer, "<0x0A>").size(), 7u);
}

TEST(SentencePiece, TokensOfWhiteSpaceAreFoundInEveryText) {
  const Tokenizer tokenizer =
      make({.normalizer = std::string(kGemmaNormalizer),
            .strip = "",
            .added = R"(, {"id": 300, "content": "\n\n"}, {"id": 301, "content": "<x>"})"});
  EXPECT_EQ(plain(tokenizer, "a\n\n\na"), (Ids{260, 300, 3 + '\n', 260}));
  EXPECT_EQ(matched(tokenizer, "<x>a"), (Ids{301, 260}));
  EXPECT_EQ(plain(tokenizer, "<x>"), (Ids{3 + '<', 3 + 'x', 3 + '>'}));
}

TEST(SentencePiece, DecodingTakesThePrefixAway) {
  const Tokenizer tokenizer = make({});
  EXPECT_EQ(tokenizer.decode(Ids{265, 263}), "ab a");
  EXPECT_EQ(tokenizer.decode(Ids{259, 265}), " ab");
  EXPECT_EQ(tokenizer.decode(Ids{-1, 261, 263}), "b a");
  EXPECT_EQ(tokenizer.decode(Ids{3 + 0xE4, 3 + 0xB8, 3 + 0xAD}), "中");
  const Tokenizer gemma = make({.normalizer = std::string(kGemmaNormalizer), .strip = ""});
  EXPECT_EQ(gemma.decode(Ids{265}), " ab");
}

TEST(SentencePiece, DecodingGivesAnyBytesBack) {
  const Tokenizer tokenizer = make({});
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 20, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? random() : "a b\xC3\xA9"[random() % 5]);
    if (text.find("▁") != std::string::npos) continue;
    const Ids ids = plain(tokenizer, text);
    ASSERT_EQ(tokenizer.decode(ids), text);
    StreamDecoder decoder(tokenizer);
    std::string streamed;
    for (const int32_t id : ids) streamed += decoder.push(id);
    ASSERT_EQ(streamed + decoder.flush(), text);
  }
}

TEST(SentencePiece, AContinuationKeepsItsFirstBlank) {
  const Tokenizer tokenizer = make({});
  StreamDecoder rest(tokenizer, StreamDecoder::Start::kContinuation);
  EXPECT_EQ(rest.push(265), " ab");
  StreamDecoder whole(tokenizer);
  EXPECT_EQ(whole.push(-1), "");
  EXPECT_EQ(whole.push(259), "");
  EXPECT_EQ(whole.push(265), " ab");
  EXPECT_EQ(whole.flush(), "");
  EXPECT_EQ(whole.push(265), "ab");
  EXPECT_EQ(whole.push(3 + 0xC3), "");
  EXPECT_EQ(whole.push(3 + 0xA9), "é");
}

TEST(SentencePiece, MetaspaceInPlaceOfANormalizer) {
  const auto of = [](const std::string& members) {
    return make({.normalizer = "null",
                 .pre_tokenizer = R"({"type": "Metaspace", "replacement": "▁", )" + members + "}"});
  };
  const Tokenizer first = of(R"("prepend_scheme": "first", "split": false)");
  EXPECT_EQ(matched(first, "ab<s>ab"), (Ids{265, 1, 264}));
  EXPECT_EQ(matched(first, "<s>ab"), (Ids{1, 264}));
  EXPECT_EQ(matched(first, " ab"), Ids{265});
  const Tokenizer always = of(R"("prepend_scheme": "always")");
  EXPECT_EQ(matched(always, "ab<s>ab ab"), (Ids{265, 1, 265, 265}));
  EXPECT_EQ(matched(of(R"("prepend_scheme": "never")"), "ab ab"), (Ids{264, 265}));
  EXPECT_EQ(matched(of(R"("add_prefix_space": true)"), "ab"), Ids{265});
  EXPECT_EQ(matched(of(R"("add_prefix_space": false)"), "ab"), Ids{264});
}

TEST(SentencePiece, TokensAcrossBlanksAreFound) {
  const Tokenizer tokenizer = make({.vocab = R"(, "a▁": 266, "a▁a": 267)",
                                    .merges = R"(, ["a", "▁"], ["a▁", "a"], ["a", "▁a"])"});
  EXPECT_EQ(plain(tokenizer, "ba a"), (Ids{259, 261, 267}));
}

TEST(SentencePiece, RefusesWhatItCannotDo) {
  const auto is = [](const SentencePieceJson& json, const std::string& part) {
    EXPECT_NE(refusal(json).find(part), std::string::npos) << refusal(json);
  };
  is({.model = R"("byte_fallback": false)"}, "model.byte_fallback");
  is({.model = R"("byte_fallback": true, "ignore_merges": true)"}, "model.ignore_merges");
  is({.strip = R"(, {"type": "CTC"})"}, "decoder.decoders[3].type");
  is({.strip = R"(, {"type": "Strip", "content": " ", "start": 2, "stop": 0})"}, "start");
  is({.normalizer = R"({"type": "Precompiled"})"}, "normalizer.type");
}

TEST(SentencePiece, LongTextsTakeNoQuadraticTime) {
  const Tokenizer tokenizer = make({});
  for (const char c : {'a', ' ', '\n', '\xFF'}) {
    const std::string text(1 << 18, c);
    EXPECT_EQ(tokenizer.decode(plain(tokenizer, text)), text);
  }
}

}  // namespace
}  // namespace kvasir::text
