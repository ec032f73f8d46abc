#include "eval/recall_task.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

namespace kvasir::eval {
namespace {

const std::string kTaskPath = std::string(KVASIR_SOURCE_DIR) + "/data/recall_task.json";

Result<RecallTask> load_text(const std::string& text) {
  const std::string path = testing::TempDir() + "task.json";
  std::ofstream(path) << text;
  return load_recall_task(path);
}

TEST(RecallTaskTest, TheBundledTaskHasTheSlotsItsPhrasesNeed) {
  const auto task = load_recall_task(kTaskPath);
  ASSERT_TRUE(task.ok()) << task.error().message();
  EXPECT_NE(task->answer.find("{value}"), std::string::npos);
  for (const FactKind& kind : task->kinds) {
    for (const auto* phrases : {&kind.facts, &kind.updates}) {
      for (const std::string& phrase : *phrases) {
        for (const char* slot : {"{person}", "{object}", "{value}"}) {
          EXPECT_NE(phrase.find(slot), std::string::npos) << phrase;
        }
      }
    }
    for (const std::string& phrase : kind.questions) {
      EXPECT_NE(phrase.find("{person}"), std::string::npos) << phrase;
      EXPECT_NE(phrase.find("{object}"), std::string::npos) << phrase;
      EXPECT_EQ(phrase.find("{value}"), std::string::npos) << phrase;
    }
  }
}

// A question must name its fact: no object may belong to two kinds.
TEST(RecallTaskTest, EveryObjectBelongsToOneKind) {
  const auto task = load_recall_task(kTaskPath);
  ASSERT_TRUE(task.ok());
  std::set<std::string> seen;
  for (const FactKind& kind : task->kinds) {
    for (const std::string& object : kind.objects)
      EXPECT_TRUE(seen.insert(object).second) << object;
  }
}

TEST(RecallTaskTest, ErrorsNameTheField) {
  const auto empty = load_text("{}");
  ASSERT_FALSE(empty.ok());
  EXPECT_NE(empty.error().where.find("first_names"), std::string::npos);

  const auto no_objects =
      load_text(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "absent_answer": "-", "kinds": [{"name": "k", "objects": []}]})");
  ASSERT_FALSE(no_objects.ok());
  EXPECT_NE(no_objects.error().where.find("objects"), std::string::npos);

  const auto bad_range =
      load_text(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "absent_answer": "-", "kinds": [{"name": "k", "objects": ["o"], "numbers": [9, 3]}]})");
  ASSERT_FALSE(bad_range.ok());
  EXPECT_NE(bad_range.error().where.find("numbers"), std::string::npos);
  EXPECT_FALSE(load_recall_task("/nowhere/task.json").ok());
}

TEST(RecallTaskTest, SlotsAreFilledOnceAndNothingElseIs) {
  EXPECT_EQ(fill_slots("{person} has {object}: {value}{", {"A {object}", "o", "v"}),
            "A {object} has o: v{");
  EXPECT_EQ(fill_slots("no slots {here}", {}), "no slots {here}");
}

TEST(RecallTaskTest, NumbersStayInTheirRangeAndReachBothEnds) {
  Random random(3);
  const FactKind kind{.letters = "XY", .number_min = 7, .number_max = 9};
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) seen.insert(draw_value(kind, random));
  EXPECT_EQ(seen, (std::set<std::string>{"X7", "X8", "X9", "Y7", "Y8", "Y9"}));
}

}  // namespace
}  // namespace kvasir::eval
