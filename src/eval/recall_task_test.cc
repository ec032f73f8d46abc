#include "eval/recall_task.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvasir::eval {
namespace {

const std::string kTaskPath = std::string(KVASIR_SOURCE_DIR) + "/data/recall_task.json";

Result<RecallTask> parse(const std::string& text) { return parse_recall_task(text, "test"); }

TEST(RecallTaskTest, TheBundledTaskIsWellFormed) {
  const auto task = load_recall_task(kTaskPath);
  ASSERT_TRUE(task.ok()) << task.error().message();
  EXPECT_EQ(task->kinds.size(), 4u);
}

TEST(RecallTaskTest, ThePlainTaskBeginsAnswersAndAsksNothingThatIsNotThere) {
  const auto task = load_recall_task(std::string(KVASIR_SOURCE_DIR) + "/data/recall_plain.json");
  ASSERT_TRUE(task.ok()) << task.error().message();
  EXPECT_EQ(task->answer, "{value}");
  EXPECT_TRUE(task->absent_answer.empty());
  for (const FactKind& kind : task->kinds) {
    EXPECT_NE(kind.opening.find("{person}"), std::string::npos) << kind.name;
    EXPECT_NE(kind.opening.find("{object}"), std::string::npos) << kind.name;
    EXPECT_EQ(kind.opening.find("{value}"), std::string::npos) << kind.name;
  }
}

TEST(RecallTaskTest, ErrorsNameTheField) {
  const auto empty = parse("{}");
  ASSERT_FALSE(empty.ok());
  EXPECT_NE(empty.error().where.find("first_names"), std::string::npos);

  const auto no_objects = parse(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "absent_answer": "-", "kinds": [{"name": "k", "objects": []}]})");
  ASSERT_FALSE(no_objects.ok());
  EXPECT_NE(no_objects.error().where.find("objects"), std::string::npos);

  const auto bad_range = parse(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "absent_answer": "-", "kinds": [{"name": "k", "objects": ["o"], "numbers": [9, 3]}]})");
  ASSERT_FALSE(bad_range.ok());
  EXPECT_NE(bad_range.error().where.find("numbers"), std::string::npos);

  const auto no_slot = parse(R"({"first_names": ["A"], "last_names": ["B"], "answer": "It is so.",
      "absent_answer": "-", "kinds": []})");
  ASSERT_FALSE(no_slot.ok());
  EXPECT_NE(no_slot.error().where.find("answer"), std::string::npos);

  const auto no_text = parse(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "absent_answer": 1, "kinds": []})");
  ASSERT_FALSE(no_text.ok());
  EXPECT_NE(no_text.error().where.find("absent_answer"), std::string::npos);

  const auto told = parse(R"({"first_names": ["A"], "last_names": ["B"], "answer": "{value}",
      "kinds": [{"name": "k", "objects": ["o"], "numbers": [3, 9],
      "facts": ["{person} {object} {value}"], "updates": ["{person} {object} now {value}"],
      "questions": ["{person} {object}?"], "opening": "It is {value}"}]})");
  ASSERT_FALSE(told.ok());
  EXPECT_NE(told.error().where.find("opening"), std::string::npos);

  // Drawing distinct facts out of these would never end.
  const auto repeated = parse(R"({"first_names": ["A", "A"]})");
  ASSERT_FALSE(repeated.ok());
  EXPECT_NE(repeated.error().expected.find("twice"), std::string::npos);
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
