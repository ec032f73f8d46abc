#include "eval/recall_entry.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir::eval {
namespace {

bool is_right(const std::string& opening, const std::string& expected, const std::string& answer) {
  return AnsweredQuestion{.question = {.opening = opening, .answer = expected}, .answer = answer}
      .is_right();
}

TEST(RecallEntryTest, AWholeAnswerIsComparedCharacterForCharacter) {
  EXPECT_TRUE(is_right("", "It is K47.", "It is K47."));
  EXPECT_FALSE(is_right("", "It is K47.", "It is K47. And more."));
  EXPECT_FALSE(is_right("", "It is K47.", " It is K47."));
}

TEST(RecallEntryTest, BehindAnOpeningTheAnswerGoesOnWithTheValue) {
  for (const char* answer : {" 4415", "4415.", " **4415**, as was said", " \"4415\""}) {
    EXPECT_TRUE(is_right("The code is", "4415", answer)) << answer;
  }
  for (const char* answer : {"", " 441", " 44150", " not 4415", " 4 4 1 5", " 44A15", " 4415a"}) {
    EXPECT_FALSE(is_right("The code is", "4415", answer)) << answer;
  }
}

TEST(RecallEntryTest, OpeningsAreKeptWhereThereAreAny) {
  RecallEntry entry{
      .questions = {{.question = {.text = "q?", .answer = "a", .depth = 0.5}, .answer = "a"}},
      .kv_bytes = 7};
  const std::string plain = to_json(entry).dump();
  EXPECT_EQ(plain,
            R"({"questions":[{"kind":"stated","depth":0.5,"distance_tokens":0,"question":"q?",)"
            R"("expected":"a","answer":"a"}],"kv_bytes":7})");
  entry.questions[0].question.opening = "It is";
  for (const std::string& text : {plain, to_json(entry).dump()}) {
    const auto json = Json::parse(text, "test");
    ASSERT_TRUE(json.ok());
    const auto parsed = parse_recall_entry(*json, "test");
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->questions[0].question.opening, text == plain ? "" : "It is");
    EXPECT_EQ(to_json(*parsed).dump(), text);
  }
}

TEST(RecallEntryTest, DivergencesAreKeptWhereThereAreAny) {
  RecallEntry entry{.questions = {{.question = {.text = "q?", .answer = "a", .depth = 0.5},
                                   .answer = "a",
                                   .kl = 0.0}},
                    .kv_bytes = 7};
  const auto read_again = [](const std::string& text) {
    const auto json = Json::parse(text, "test");
    EXPECT_TRUE(json.ok()) << text;
    return parse_recall_entry(*json, "test");
  };
  for (const double kl : {0.0, 0.1, 1.0 / 3}) {
    entry.questions[0].kl = kl;
    EXPECT_EQ(read_again(to_json(entry).dump())->questions[0].kl, kl);
  }
  std::string text = to_json(entry).dump();
  text.insert(text.find("\"kl\":0.3") + 5, "-");
  EXPECT_FALSE(read_again(text).ok()) << text;
  entry.questions[0].kl.reset();
  EXPECT_EQ(read_again(to_json(entry).dump())->questions[0].kl, std::nullopt);
}

}  // namespace
}  // namespace kvasir::eval
