#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "text/stream_decoder.h"
#include "text/test_support.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

Ids ids_of(const Json& array) {
  Ids ids;
  for (const Json& id : *array.as_array()) ids.push_back(static_cast<int32_t>(*id.as_integer()));
  return ids;
}

std::string random_bytes(std::mt19937& random) {
  std::string text(random() % 40, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// The message of the error that loading gives; empty when there is none.
std::string refusal(const TokenizerJson& json) {
  const auto tokenizer = make_tokenizer(json);
  return tokenizer ? "" : tokenizer.error().message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Tokenizer, GivesTheIdsThatHuggingFaceGives) {
  std::ifstream file(test_data_path("reference.jsonl"));
  std::string line;
  int lines = 0;
  for (; std::getline(file, line); ++lines) {
    const auto row = Json::parse(line, "reference.jsonl");
    ASSERT_TRUE(row.ok());
    const Json::Array& cells = *row->as_array();
    const std::string& text = *cells[0].as_string();
    ASSERT_EQ(fixture_tokenizer().encode(text, SpecialTokens::kMatch), ids_of(cells[1])) << line;
    ASSERT_EQ(fixture_tokenizer().encode(text, SpecialTokens::kIgnore), ids_of(cells.back()))
        << line;
  }
  EXPECT_EQ(lines, 4000);
}

TEST(Tokenizer, DecodingGivesAnyBytesBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_bytes(random);
    for (const auto special : {SpecialTokens::kMatch, SpecialTokens::kIgnore}) {
      const Ids ids = fixture_tokenizer().encode(text, special);
      ASSERT_EQ(fixture_tokenizer().decode(ids), text);
    }
  }
}

TEST(Tokenizer, IgnoredMarkersAreText) {
  const Tokenizer& tokenizer = fixture_tokenizer();
  const std::string text = "a<｜User｜>b</think>";
  EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kMatch).size(), 4u);
  for (const int32_t id : tokenizer.encode(text, SpecialTokens::kIgnore)) {
    EXPECT_FALSE(tokenizer.is_special(id));
    EXPECT_NE(id, tokenizer.added_token_id("</think>"));
  }
}

// This file flags all its markers "normalized"; its normalizer leaves them as they are.
TEST(Tokenizer, PartsThatMayHoldMarkersDoWhateverTheirFlags) {
  const Tokenizer& tokenizer = fixture_tokenizer();
  const std::vector<TextPart> parts = {{.text = "<think>a", .may_hold_markers = true},
                                       {.text = "<think>"}};
  std::vector<int32_t> expected = {tokenizer.added_token_id("<think>").value()};
  const auto rest = tokenizer.encode("a<think>", SpecialTokens::kIgnore);
  expected.insert(expected.end(), rest.begin(), rest.end());
  EXPECT_EQ(tokenizer.encode_parts(parts), expected);
}

TEST(Tokenizer, AboutTokens) {
  const Tokenizer& tokenizer = fixture_tokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 2013);
  EXPECT_EQ(tokenizer.added_token_id("<｜begin▁of▁sentence｜>"), 0);
  EXPECT_EQ(tokenizer.added_token_id("<｜User｜>"), 2000);
  EXPECT_EQ(tokenizer.added_token_id("the"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_TRUE(tokenizer.is_special(2000));
  EXPECT_FALSE(tokenizer.is_special(2003));  // <think> is added but not special
  EXPECT_FALSE(tokenizer.is_special(3));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_EQ(tokenizer.token_bytes(2000), "<｜User｜>");
  EXPECT_EQ(tokenizer.token_bytes(3), "!");
}

TEST(Tokenizer, IdsWithoutATokenGiveNothing) {
  const Tokenizer& tokenizer = fixture_tokenizer();
  EXPECT_EQ(tokenizer.decode(Ids{-1, 3, 2013, INT32_MAX, INT32_MIN, 3}), "!!");
  const auto gap = make_tokenizer({.added = R"({"id": 300, "content": "<x>"})"});
  ASSERT_TRUE(gap.ok());
  EXPECT_EQ(gap->vocab_size(), 301);
  EXPECT_EQ(gap->decode(Ids{256, 299, 300}), "<x>");
}

TEST(Tokenizer, MergesInEitherSpelling) {
  for (const char* merges : {R"("a b", "ab c")", R"(["a", "b"], ["ab", "c"])"}) {
    const auto made = make_tokenizer({.vocab = R"(, "ab": 256, "abc": 257)", .merges = merges});
    ASSERT_TRUE(made.ok()) << made.error().message();
    EXPECT_EQ(made->encode("abcab", SpecialTokens::kIgnore), (Ids{257, 256}));
  }
}

TEST(Tokenizer, AcceptsHarmlessSettings) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({.file = R"(, "normalizer": {"type": "Sequence", "normalizers": []})"}), "");
  EXPECT_EQ(refusal({.file = R"(, "decoder": {"type": "ByteLevel"}, "truncation": null)"}), "");
  EXPECT_EQ(refusal({.model = R"(, "unk_token": "x", "byte_fallback": true, "dropout": null)"}),
            "");
  EXPECT_EQ(refusal({.cjk = R"("[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+")"}), "");
}

TEST(Tokenizer, AnAddedTokenMayBeInTheVocabularyToo) {
  const auto made = make_tokenizer(
      {.vocab = R"(, "<x>": 256)", .added = R"({"id": 256, "content": "<x>", "special": true})"});
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->encode("<x>", SpecialTokens::kMatch), (Ids{256}));
  EXPECT_EQ(made->encode("<x>", SpecialTokens::kIgnore), (Ids{'<', 'x', '>'}));
}

TEST(Tokenizer, RefusesOtherKindsOfTokenizer) {
  EXPECT_EQ(refusal({.type = "\"Unigram\""}),
            "the tokenizer asks for what is not supported, made.json: model.type, expected "
            "\"BPE\", found \"Unigram\"");
  EXPECT_TRUE(contains(refusal({.numbers = R"("\\p{Greek}")"}), R"(found \p{Greek})"));
  EXPECT_TRUE(contains(refusal({.words = "\"(?<x>y)\""}), "pretokenizers[2].pattern"));
  EXPECT_TRUE(contains(refusal({.words = "3"}), "pretokenizers[2].pattern"));
  EXPECT_TRUE(contains(refusal({.byte_level = R"({"type": "BertPreTokenizer"})"}), "[3].type"));
  EXPECT_TRUE(contains(
      refusal({.byte_level = R"({"type": "ByteLevel", "add_prefix_space": true})"}), "prefix"));
  EXPECT_TRUE(contains(refusal({.byte_level = R"({"type": "Metaspace", "replacement": "▁"})"}),
                       "expected Metaspace first"));
  EXPECT_TRUE(contains(refusal({.file = R"(, "normalizer": {"type": "NFKC"})"}), "normalizer"));
  EXPECT_TRUE(contains(
      refusal({.file = R"(, "normalizer": {"type": "Replace", "pattern": {"Regex": "a"}})"}),
      "normalizer.pattern"));
  EXPECT_TRUE(contains(refusal({.file = R"(, "decoder": {"type": "Fuse"})"}), "decoder.type"));
  EXPECT_TRUE(contains(refusal({.file = R"(, "post_processor": {"type": "BertProcessing"})"}),
                       "post_processor.type"));
}

TEST(Tokenizer, RefusesTextsThatGrowBeyondBounds) {
  const std::string step = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaa"})";
  const std::string file =
      R"(, "normalizer": {"type": "Sequence", "normalizers": [)" + step + "," + step + "]}";
  EXPECT_TRUE(contains(refusal({.file = file}), "replacing by less"));
}

TEST(Tokenizer, RefusesFlagsItDoesNotKnow) {
  EXPECT_TRUE(contains(refusal({.model = R"(, "dropout": 0.5)"}), "model.dropout"));
  EXPECT_TRUE(contains(refusal({.model = R"(, "end_of_word_suffix": "</w>")"}), "end_of_word"));
  EXPECT_TRUE(contains(refusal({.model = R"(, "continuing_subword_prefix": "##")"}), "prefix"));
}

TEST(Tokenizer, RefusesDamagedTables) {
  const auto is = [](const TokenizerJson& json, const std::string& part) {
    const std::string message = refusal(json);
    EXPECT_TRUE(contains(message, part)) << message;
  };
  is({.vocab = R"(, "ab": 255)"}, "two tokens have one id, made.json: vocab, found 255");
  is({.vocab = R"(, "ab": -1)"}, "no valid id");
  is({.vocab = R"(, "ab": 99999999)"}, "no valid id");
  is({.vocab = R"(, "ab": "x")"}, "no valid id");
  is({.vocab = R"(, "ab": 256, "ab": 257)"}, "occurs twice");
  is({.merges = "\"a b\""}, "a merge names a token that the vocabulary lacks");
  is({.merges = "\"a  b\""}, "a merge is malformed");
  is({.merges = "[\"a\"]"}, "a merge is malformed");
  is({.merges = "7"}, "a merge is malformed");
  is({.vocab = R"(, "ab": 256)", .merges = R"("a b", "a b")"}, "a merge occurs twice");
  is({.added = R"({"id": 97, "content": "x"})"}, "two tokens have one id");
  is({.added = R"({"id": 300, "content": "a"})"}, "another id in the vocabulary");
  is({.added = R"({"id": 300, "content": "x1"}, {"id": 301, "content": "x1"})"}, "occurs twice");
  is({.added = R"({"id": 97, "content": "a"})"}, "plain text can become an added token");
  is({.vocab = R"(, "ab": 256)", .merges = R"("a b")", .added = R"({"id": 256, "content": "ab"})"},
     "plain text can become an added token");
  is({.added = R"({"id": 300, "content": ""})"}, "has no content");
  is({.added = R"({"content": "x1"})"}, "no valid id");
  is({.added = R"({"id": 300})"}, "content");
  is({.added = "3"}, "content");
}

TEST(Tokenizer, RefusesAVocabularyThatLacksAByte) {
  std::string text = TokenizerJson{}.str();
  text.replace(text.find("\"a\": 97"), 7, "\"aaa\": 97");
  const auto tokenizer = Tokenizer::parse(text, "made.json");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.error().message(),
            "the vocabulary lacks a byte, made.json: vocab, expected a token \"a\" for byte 97");
}

TEST(Tokenizer, RefusesFilesThatAreNone) {
  EXPECT_FALSE(Tokenizer::load(test_data_path("absent.json")).ok());
  EXPECT_FALSE(Tokenizer::load(test_data_path("")).ok());
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"model": 3})", "{\"model\": {}}"}) {
    EXPECT_FALSE(Tokenizer::parse(text, "made.json").ok()) << text;
  }
  const auto pointer =
      Tokenizer::parse("version https://git-lfs.github.com/spec/v1\n", "made.json");
  ASSERT_FALSE(pointer.ok());
  EXPECT_NE(pointer.error().message().find("Git LFS pointer"), std::string::npos);
}

std::set<size_t> character_starts(std::string_view text) {
  std::set<size_t> starts = {text.size()};
  for (size_t i = 0; i < text.size(); i += read_character(text, i).size_bytes) starts.insert(i);
  return starts;
}

TEST(StreamDecoder, EqualsDecodingTheWholeAndSplitsNoCharacter) {
  const Tokenizer& tokenizer = fixture_tokenizer();
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    Ids ids;
    for (int i = 0; i < 30; ++i) {
      const bool any = random() % 3 == 0;
      ids.push_back(static_cast<int32_t>(any ? random() % 2013 : 3 + random() % 256));
    }
    const std::string whole = tokenizer.decode(ids);
    const std::set<size_t> starts = character_starts(whole);
    StreamDecoder decoder(tokenizer);
    std::string streamed;
    for (size_t i = 0; i < ids.size(); ++i) {
      streamed += decoder.push(ids[i]);
      const std::string so_far = tokenizer.decode(std::span(ids).first(i + 1));
      ASSERT_EQ(streamed.size() + incomplete_tail_bytes(so_far), so_far.size());
      ASSERT_TRUE(starts.contains(streamed.size()));
    }
    streamed += decoder.flush();
    ASSERT_EQ(streamed, whole);
  }
}

TEST(StreamDecoder, HoldsBackOpenCharactersOnly) {
  const auto bytes = make_tokenizer({});
  ASSERT_TRUE(bytes.ok());
  StreamDecoder decoder(*bytes);
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(0x9F), "");
  EXPECT_EQ(decoder.push(0x98), "");
  EXPECT_EQ(decoder.push(0x80), "😀");
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push('x'), "\xE4x");
  EXPECT_EQ(decoder.push(0xED), "");
  EXPECT_EQ(decoder.push(0xA0), "\xED\xA0");
  EXPECT_EQ(decoder.push(0xFF), "\xFF");
  EXPECT_EQ(decoder.push(0xC3), "");
  EXPECT_EQ(decoder.flush(), "\xC3");
  EXPECT_EQ(decoder.flush(), "");
}

}  // namespace
}  // namespace kvasir::text
