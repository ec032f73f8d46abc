#include "grammar/follower.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "grammar/test_support.h"

namespace kvasir::grammar {
namespace {

// Tokens as models have them: bytes, words, pieces of JSON, cut characters, one twice, one empty.
std::vector<std::string> vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* text :
       {"",         "\",", "\": ", "{\"",   "{\"a",   "\"}",          "}}",   "]}",     "[[",
        "true",     "tru", "null", " null", "123",    "12.5",         "-1",   "\\u00",  "\\n",
        "abc",      "ab",  "ab",   "hello", " world", "\xc3\xa9",     "\xc3", "\xa9\"", "\xf0\x9f",
        "\x98\x80", ",\n", "\n  ", ": [",   "name",   "\"name\": \"", "e5",   "0"}) {
    tokens.emplace_back(text);
  }
  return tokens;
}

constexpr const char* kSchemas[] = {
    "true",
    R"({"type": "string"})",
    R"({"type": "object", "properties": {"a": {"type": "integer"}, "name": {"type": "string",
        "maxLength": 5}}, "additionalProperties": {"$ref": "#"}})",
    R"({"type": "array", "items": {"anyOf": [{"type": "null"}, {"$ref": "#"},
        {"type": "number"}, {"enum": ["abc", "ab", true]}]}})",
    R"({"type": "string", "pattern": "^(ab|a.c)*é?$"})",
    R"({"type": "string", "minLength": 3, "maxLength": 9})",
    R"({"type": "array", "minItems": 2, "maxItems": 5, "items": {"type": "object", "properties":
        {"name": {"type": "string", "minLength": 1, "maxLength": 12}, "abc": {"type": "array",
        "items": {"type": "string", "maxLength": 4}, "maxItems": 3}}, "required": ["name"]}})",
    R"({"type": "string", "pattern": "^([a-c]{2,7}|[ab]{0,9}é{1,3})*$"})",
    R"({"type": "string", "pattern": "^((a?b?){0,6}c){1,4}$"})",
};

// What a mask says of a token is whether the position goes on with its bytes.
void expect_true_mask(const Follower& follower, const Position& at,
                      const std::vector<std::string>& tokens) {
  const auto mask = follower.mask(at);
  for (size_t id = 0; id < tokens.size(); ++id) {
    const bool goes_on = !tokens[id].empty() && !follower.advance(at, tokens[id]).is_dead();
    ASSERT_EQ(mask->allows(static_cast<int32_t>(id)), goes_on) << id << " " << tokens[id];
  }
}

// Follows random allowed tokens. Returns the text.
std::string walk(const Follower& follower, const std::vector<std::string>& tokens, unsigned seed,
                 int steps, bool checks) {
  std::mt19937 random(seed);
  Position at = follower.start();
  std::string text;
  for (int step = 0; step < steps; ++step) {
    if (checks) expect_true_mask(follower, at, tokens);
    const auto mask = follower.mask(at);
    std::vector<int32_t> allowed;
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (mask->allows(static_cast<int32_t>(id))) allowed.push_back(static_cast<int32_t>(id));
    }
    // What can go nowhere has come to its end.
    EXPECT_TRUE(!allowed.empty() || at.is_complete()) << text;
    if (allowed.empty()) break;
    const std::string& token = tokens[static_cast<size_t>(allowed[random() % allowed.size()])];
    text += token;
    at = follower.advance(at, token);
  }
  return text;
}

TEST(Follower, MasksAreWhatEachTokenSays) {
  const std::vector<std::string> tokens = vocabulary();
  for (const char* schema : kSchemas) {
    const auto follower = follower_of(schema_automaton(schema), tokens);
    for (unsigned seed = 0; seed < 12; ++seed) walk(*follower, tokens, seed, 25, true);
  }
}

TEST(Follower, MemoryDoesNotChangeWhatIsSaid) {
  const std::vector<std::string> tokens = vocabulary();
  for (const char* schema : kSchemas) {
    const Follower large(schema_automaton(schema).value(), trie_of(tokens));
    for (const size_t bytes : {size_t{0}, size_t{3000}, size_t{100'000}}) {
      const Follower small(schema_automaton(schema).value(), trie_of(tokens), bytes);
      for (unsigned seed = 0; seed < 4; ++seed) {
        EXPECT_EQ(walk(small, tokens, seed, 40, false), walk(large, tokens, seed, 40, false));
      }
    }
  }
}

TEST(Follower, ManyThreadsFollowOneGrammar) {
  const std::vector<std::string> tokens = vocabulary();
  const auto follower = follower_of(schema_automaton(kSchemas[2]), tokens);
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { texts[i] = walk(*follower, tokens, i / 2, 60, false); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[2], texts[3]);
}

TEST(Follower, WhatWasDeadStaysDead) {
  const auto follower = follower_of(schema_automaton(R"({"type": "null"})"));
  const Position dead = follower->advance(follower->start(), "x");
  EXPECT_TRUE(dead.is_dead());
  EXPECT_TRUE(follower->advance(dead, "").is_dead());
  const Position whole = follower->advance(follower->start(), "null");
  EXPECT_TRUE(whole.can_end);
  EXPECT_TRUE(whole.is_complete());
  EXPECT_FALSE(follower->start().can_end);
}

TEST(Follower, TextsThatReadInManyWaysStayFewPlaces) {
  const auto follower = follower_of(schema_automaton(R"({"$defs": {"n": {"anyOf": [
      {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"]},
      {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"type": "null"}},
       "required": ["a"]}, {"type": "null"}]}}, "$ref": "#/$defs/n"})"));
  std::string text;
  for (int i = 0; i < 30; ++i) text += R"({"a":)";
  const Position deep = follower->advance(follower->start(), text);
  EXPECT_FALSE(deep.is_dead());
  EXPECT_LT(deep.places.size(), 20u);
  EXPECT_TRUE(follower->matches(text + "null" + std::string(30, '}')));
  EXPECT_FALSE(follower->matches(text + "null" + std::string(29, '}')));
}

TEST(TokenTrie, SharesWhatTokensBeginWith) {
  const std::vector<std::string> tokens = {"ab", "", "a", "abc", "b", "ab"};
  const auto trie = trie_of(tokens);
  ASSERT_EQ(trie->nodes().size(), 4u);
  EXPECT_EQ(trie->tokens(), (std::vector<int32_t>{2, 0, 5, 3, 4}));
  EXPECT_EQ(trie->nodes()[0].end, 3);
  EXPECT_EQ(trie->last_token(0, false), 1);
  EXPECT_EQ(trie->last_token(0, true), 4);
  EXPECT_EQ(trie->bytes_below(trie->nodes()[0]).count(), 2u);
  EXPECT_EQ(trie->vocab_size(), 6);
}

}  // namespace
}  // namespace kvasir::grammar
