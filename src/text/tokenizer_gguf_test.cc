#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "checkpoint/gguf.h"
#include "gguf_maker.h"
#include "temp_directory.h"
#include "text/byte_alphabet.h"
#include "text/test_support.h"
#include "text/tokenizer.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;
using testing::GgufMaker;

enum TokenType : int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

// The keys of a tokenizer, made to order.
struct Made {
  std::string model = "gpt2";
  std::string pre = "llama-bpe";
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;
  std::map<std::string, uint32_t> numbers;
  std::map<std::string, bool> flags;

  void add(const std::string& token, int32_t type = kNormal, float score = 0) {
    tokens.push_back(token);
    types.push_back(type);
    scores.push_back(score);
  }
  std::vector<std::byte> file() const {
    GgufMaker maker;
    maker.text("tokenizer.ggml.model", model).text("tokenizer.ggml.pre", pre);
    maker.texts("tokenizer.ggml.tokens", tokens).numbers("tokenizer.ggml.token_type", types);
    maker.reals("tokenizer.ggml.scores", scores).texts("tokenizer.ggml.merges", merges);
    for (const auto& [key, value] : numbers) maker.number("tokenizer.ggml." + key, value);
    for (const auto& [key, value] : flags) maker.flag("tokenizer.ggml." + key, value);
    return maker.file();
  }
  Result<Tokenizer> build() const {
    const std::vector<std::byte> bytes = file();
    KVASIR_ASSIGN_OR_RETURN(const GgufHead head, GgufHead::parse(bytes, "made.gguf"));
    KVASIR_ASSIGN_OR_RETURN(TokenizerData data, read_gguf_tokenizer(head.keys(), "made.gguf"));
    complete_frame_tokens(data);
    return Tokenizer::build(data, "made.gguf");
  }
};

Tokenizer built(const Made& made) {
  auto tokenizer = made.build();
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *std::move(tokenizer);
}

// Bytes 0 to 255, 256 "ab", 257 <|eot_id|>, 258 <tool>, 259 unused.
Made byte_level() {
  Made made;
  for (int byte = 0; byte < 256; ++byte) made.add(alphabet_character(static_cast<uint8_t>(byte)));
  made.add("ab");
  made.add("<|eot_id|>", kControl);
  made.add("<tool>", kUserDefined);
  made.add("[PAD259]", kUnused);
  made.merges = {"a b"};
  made.numbers = {{"bos_token_id", 0}, {"eos_token_id", 1}};
  return made;
}

// 0 to 2 control tokens, the bytes, then 259 and on: characters and tokens by score.
Made sentence_piece() {
  Made made;
  made.model = "llama";
  made.pre = "default";
  made.add("<unk>", kUnknown);
  made.add("<s>", kControl);
  made.add("</s>", kControl);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    made.add(text, kByte);
  }
  for (const char* character : {"▁", "a", "b", "c"}) made.add(character, kNormal, -1e9F);
  return made;
}

TEST(TokenizerGguf, ByteLevel) {
  const Tokenizer tokenizer = built(byte_level());
  EXPECT_EQ(tokenizer.vocab_size(), 260);
  EXPECT_EQ(tokenizer.encode("abc <|eot_id|>", SpecialTokens::kMatch), (Ids{256, 'c', ' ', 257}));
  EXPECT_EQ(tokenizer.encode("<|eot_id|>", SpecialTokens::kIgnore).size(), 10u);
  EXPECT_EQ(tokenizer.encode("<tool>", SpecialTokens::kMatch), Ids{258});
  EXPECT_EQ(tokenizer.encode("<tool>", SpecialTokens::kIgnore).size(), 6u);
  EXPECT_EQ(tokenizer.decode(Ids{256, 257, 258}), "ab<|eot_id|><tool>");
  EXPECT_TRUE(tokenizer.is_special(257));
  EXPECT_FALSE(tokenizer.is_special(258));
}

TEST(TokenizerGguf, WhatFramesATextAndEndsAnAnswer) {
  Made made = byte_level();
  made.numbers["eot_token_id"] = 5;
  made.numbers["padding_token_id"] = UINT32_MAX;  // -1, for none
  const Tokenizer llama = built(made);
  EXPECT_EQ(llama.frame().before, Ids{0});
  EXPECT_EQ(llama.frame().after, Ids{});
  EXPECT_EQ(llama.frame().ends, (Ids{1, 5, 257}));
  EXPECT_EQ(llama.frame().padding, std::nullopt);
  made.flags = {{"add_bos_token", false}, {"add_eos_token", true}};
  EXPECT_EQ(built(made).frame().before, Ids{});
  EXPECT_EQ(built(made).frame().after, Ids{1});
  made.flags.clear();
  made.pre = "qwen2";
  EXPECT_EQ(built(made).frame().before, Ids{});
  const Tokenizer spm = built(sentence_piece());
  EXPECT_EQ(spm.frame().before, Ids{1});
  EXPECT_EQ(spm.frame().ends, Ids{2});
  EXPECT_EQ(spm.frame().unknown, 0);
}

TEST(TokenizerGguf, AMessageOfSeveralPartsIsNoEnd) {
  Made made = byte_level();
  for (const char* token : {"<|end|>", "<|return|>", "<|call|>"}) made.add(token, kControl);
  EXPECT_EQ(built(made).frame().ends, (Ids{1, 257, 261, 262}));
}

TEST(TokenizerGguf, PreTokenizersByName) {
  Made made = byte_level();
  made.add("Ġ1");
  made.merges.push_back("Ġ 1");
  EXPECT_EQ(built(made).encode(" 1", SpecialTokens::kIgnore), (Ids{' ', '1'}));
  made.pre = "gpt-2";
  EXPECT_EQ(built(made).encode(" 1", SpecialTokens::kIgnore), Ids{260});
  made.pre = "qwen2";
  EXPECT_EQ(built(made).encode("e\u0301", SpecialTokens::kIgnore), (Ids{0xC3, 0xA9}));
  made.pre = "llama-bpe";
  EXPECT_EQ(built(made).encode("e\u0301", SpecialTokens::kIgnore), (Ids{'e', 0xCC, 0x81}));
}

TEST(TokenizerGguf, APieceThatIsATokenIsTakenWhole) {
  Made made = byte_level();
  made.add("bcd");  // no merge leads to it
  EXPECT_EQ(built(made).encode("bcd", SpecialTokens::kIgnore), Ids{260});
  made.pre = "qwen2";
  EXPECT_EQ(built(made).encode("bcd", SpecialTokens::kIgnore), (Ids{'b', 'c', 'd'}));
}

TEST(TokenizerGguf, BytesWithoutATokenAreLeftOut) {
  Made made = byte_level();
  made.tokens[0xFF] = "[PAD255]";
  made.types[0xFF] = kUnused;
  EXPECT_EQ(built(made).encode("a\xFF", SpecialTokens::kIgnore), Ids{'a'});
  made.tokens['q'] = "[PADq]";
  EXPECT_FALSE(made.build().ok());
}

TEST(TokenizerGguf, SentencePieceByScores) {
  Made made = sentence_piece();  // ▁ 259, a 260, b 261, c 262
  made.add("ab", kNormal, -2);
  made.add("bc", kNormal, -1);
  made.add("▁a", kNormal, -3);
  made.add("aa", kNormal, -4);
  made.add("aaa", kNormal, -5);
  const Tokenizer tokenizer = built(made);
  EXPECT_EQ(tokenizer.encode("abc", SpecialTokens::kIgnore), (Ids{265, 264}));
  EXPECT_EQ(tokenizer.encode("ab", SpecialTokens::kIgnore), (Ids{259, 263}));
  // Of two ways to the same token the one further left is taken.
  EXPECT_EQ(tokenizer.encode("caaaaa", SpecialTokens::kIgnore), (Ids{259, 262, 266, 267}));
  EXPECT_EQ(tokenizer.encode("é", SpecialTokens::kIgnore), (Ids{259, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer.encode("a<s>a", SpecialTokens::kMatch), (Ids{265, 1, 265}));
  EXPECT_EQ(tokenizer.decode(Ids{265, 265}), "a a");
  made.flags = {{"add_space_prefix", false}};
  EXPECT_EQ(built(made).encode("a a", SpecialTokens::kIgnore), (Ids{260, 265}));
  EXPECT_EQ(built(made).decode(Ids{265}), " a");
}

TEST(TokenizerGguf, NoScoreForgesAMarker) {
  Made made = sentence_piece();
  for (const char* part : {"<", "s", ">", "<s"}) made.add(part, kNormal, -1);
  EXPECT_EQ(built(made).encode("<s>", SpecialTokens::kIgnore), (Ids{259, 266, 265}));
}

TEST(TokenizerGguf, BlanksOfUserDefinedTokens) {
  Made made = sentence_piece();
  made.flags = {{"add_space_prefix", false}};
  made.add("  ", kUserDefined, -1000);
  const Tokenizer tokenizer = built(made);
  EXPECT_EQ(tokenizer.encode("a   a", SpecialTokens::kIgnore), (Ids{260, 263, 259, 260}));
  EXPECT_EQ(tokenizer.decode(Ids{263}), "  ");
}

TEST(TokenizerGguf, MergesOfRawText) {
  Made made = sentence_piece();
  made.model = "gemma4";
  made.add("▁a");
  made.merges = {"▁ a"};
  EXPECT_EQ(built(made).encode("a a\né", SpecialTokens::kIgnore),
            (Ids{260, 263, 3 + '\n', 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(built(made).frame().before, Ids{});  // no id of its own
}

std::string refusal(const Made& made) {
  const auto tokenizer = made.build();
  return tokenizer ? "" : tokenizer.error().message();
}

TEST(TokenizerGguf, RefusesWhatItCannotDo) {
  const auto is = [](const Made& made, const std::string& part) {
    EXPECT_NE(refusal(made).find(part), std::string::npos) << refusal(made);
  };
  Made made = byte_level();
  made.model = "t5";
  is(made, "tokenizer.ggml.model, expected gpt2, llama or gemma4, found t5");
  made = byte_level();
  made.pre = "default";
  is(made, "found default");
  made.pre = "";
  is(made, "tokenizer.ggml.pre, expected one of: llama-bpe llama3");
  made = byte_level();
  made.types.pop_back();
  is(made, "tokenizer.ggml.token_type, expected 260, found 259");
  made = byte_level();
  made.numbers["eos_token_id"] = 260;
  is(made, "tokenizer.ggml.eos_token_id");
  made = byte_level();
  made.merges = {"ab"};
  is(made, "tokenizer.ggml.merges");
  made = byte_level();
  made.add("ab");
  is(made, "a token occurs twice");
  made = sentence_piece();
  made.types[3 + 'a'] = kControl;
  is(made, "plain text can become an added token");
  made = sentence_piece();
  made.scores.pop_back();
  is(made, "tokenizer.ggml.scores");
  EXPECT_FALSE(Made{}.build().ok());
}

TEST(TokenizerGguf, OpensAFileOrTheOneInADirectory) {
  const testing::TempDirectory directory;
  testing::write_file(directory.file("model.gguf"), byte_level().file());
  for (const std::string& path : {directory.file("model.gguf"), directory.path()}) {
    const auto tokenizer = Tokenizer::open(path);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message();
    EXPECT_EQ(tokenizer->vocab_size(), 260);
  }
  EXPECT_TRUE(Tokenizer::open(test_data_path("")).ok());  // a tokenizer.json
  EXPECT_FALSE(Tokenizer::open(directory.file("absent.gguf")).ok());
  EXPECT_FALSE(Tokenizer::open(test_data_path("tokenizer.json")).ok());
}

}  // namespace
}  // namespace kvasir::text
