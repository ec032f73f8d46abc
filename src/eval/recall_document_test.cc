#include "eval/recall_document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace kvasir::eval {
namespace {

RecallTask bundled_task() {
  auto task = load_recall_task(std::string(KVASIR_SOURCE_DIR) + "/data/recall_task.json");
  EXPECT_TRUE(task.ok());
  return std::move(*task);
}

Prose some_prose() {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "Sentence number " + std::to_string(i) + " says little. ";
  auto prose = Prose::create(text, "test");
  EXPECT_TRUE(prose.ok());
  return std::move(*prose);
}

// Words stand for tokens.
int64_t count_words(std::string_view text) { return std::count(text.begin(), text.end(), ' '); }

Result<RecallDocument> make(const RecallDocumentOptions& options) {
  return make_recall_document(bundled_task(), some_prose(), options, count_words);
}

TEST(RecallDocumentTest, TheSeedDecidesEverything) {
  const auto a = make({.seed = 5, .length_tokens = 3000});
  const auto b = make({.seed = 5, .length_tokens = 3000});
  const auto c = make({.seed = 6, .length_tokens = 3000});
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(a->text, b->text);
  EXPECT_EQ(a->questions.size(), b->questions.size());
  EXPECT_NE(a->text, c->text);
}

TEST(RecallDocumentTest, LengthAndTailAreKept) {
  const auto document = make({.seed = 1, .length_tokens = 3000, .tail_tokens = 700});
  ASSERT_TRUE(document.ok());
  EXPECT_GE(document->token_count, 3000);
  EXPECT_LT(document->token_count, 3000 + 10);
  EXPECT_LE(std::abs(count_words(document->text) - document->token_count), 1);
  for (const RecallQuestion& question : document->questions) {
    if (question.kind == QuestionKind::kAbsent) continue;
    EXPECT_GE(question.distance_tokens, 700);
    EXPECT_NEAR(question.depth,
                static_cast<double>(document->token_count - question.distance_tokens) / 2300.0,
                1e-9);
  }
}

TEST(RecallDocumentTest, EveryDepthIsAskedAbout) {
  const auto document =
      make({.seed = 2, .length_tokens = 4000, .fact_count = 40, .tail_tokens = 1500});
  ASSERT_TRUE(document.ok());
  int fifths[5] = {};
  for (const RecallQuestion& question : document->questions) {
    if (question.kind == QuestionKind::kAbsent) continue;
    ++fifths[std::min(4, static_cast<int>(question.depth * 5))];
  }
  for (const int count : fifths) EXPECT_GE(count, 5);
}

// What a question asks about, read back from its text.
struct Asked {
  const FactKind* kind = nullptr;
  std::string person;
  std::string object;
};

Asked what_is_asked(const RecallTask& task, const std::string& question) {
  for (const FactKind& kind : task.kinds) {
    for (const std::string& object : kind.objects) {
      if (question.find(" " + object) == std::string::npos) continue;
      for (const std::string& first : task.first_names) {
        if (question.find(first) == std::string::npos) continue;
        for (const std::string& last : task.last_names) {
          const std::string person = first + " " + last;
          for (const std::string& phrase : kind.questions) {
            if (fill_slots(phrase, {.person = person, .object = object}) == question) {
              return {&kind, person, object};
            }
          }
        }
      }
    }
  }
  ADD_FAILURE() << "no such question: " << question;
  return {};
}

std::vector<std::string> all_values(const FactKind& kind) {
  std::vector<std::string> values = kind.values;
  for (int64_t n = kind.number_min; kind.values.empty() && n <= kind.number_max; ++n) {
    if (kind.letters.empty()) values.push_back(std::to_string(n));
    for (const char letter : kind.letters) values.push_back(letter + std::to_string(n));
  }
  return values;
}

// The values that the text states, in order.
std::vector<std::string> stated_values(const std::string& text, const Asked& asked) {
  std::vector<std::pair<size_t, std::string>> found;
  for (const auto* phrases : {&asked.kind->facts, &asked.kind->updates}) {
    for (const std::string& phrase : *phrases) {
      for (const std::string& value : all_values(*asked.kind)) {
        const size_t at = text.find(fill_slots(phrase, {asked.person, asked.object, value}));
        if (at != std::string::npos) found.emplace_back(at, value);
      }
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> values;
  for (auto& [at, value] : found) values.push_back(std::move(value));
  return values;
}

TEST(RecallDocumentTest, AnswersAreInTheTextAndTheNewestCounts) {
  const RecallTask task = bundled_task();
  int counts[3] = {};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto document = make({.seed = seed, .length_tokens = 4000, .fact_count = 24});
    ASSERT_TRUE(document.ok());
    for (const RecallQuestion& question : document->questions) {
      const auto values = stated_values(document->text, what_is_asked(task, question.text));
      ++counts[static_cast<int>(question.kind)];
      if (question.kind == QuestionKind::kAbsent) {
        EXPECT_TRUE(values.empty()) << question.text;
        EXPECT_EQ(question.answer, task.absent_answer);
        continue;
      }
      ASSERT_EQ(values.size(), question.kind == QuestionKind::kUpdated ? 2u : 1u) << question.text;
      EXPECT_EQ(fill_slots(task.answer, {.value = values.back()}), question.answer);
    }
  }
  EXPECT_EQ(counts[static_cast<int>(QuestionKind::kAbsent)], 10 * 6);
  EXPECT_GT(counts[static_cast<int>(QuestionKind::kUpdated)], 20);
  EXPECT_GT(counts[static_cast<int>(QuestionKind::kStated)], 100);
}

TEST(RecallDocumentTest, PlainQuestionsComeWithTheBeginningOfTheirAnswer) {
  const auto task = load_recall_task(std::string(KVASIR_SOURCE_DIR) + "/data/recall_plain.json");
  ASSERT_TRUE(task.ok());
  const auto document = make_recall_document(
      *task, some_prose(), {.length_tokens = 2000, .fact_count = 16, .tail_tokens = 100},
      count_words);
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->questions.size(), 16u) << "none about what is not there";
  for (const RecallQuestion& question : document->questions) {
    const Asked asked = what_is_asked(*task, question.text);
    ASSERT_NE(asked.kind, nullptr);
    EXPECT_EQ(question.opening, fill_slots(asked.kind->opening, {asked.person, asked.object, ""}));
    EXPECT_EQ(stated_values(document->text, asked).back(), question.answer);
  }
}

TEST(RecallDocumentTest, WhatDoesNotFitIsRefused) {
  const auto short_one = make({.length_tokens = 1100, .fact_count = 32, .tail_tokens = 1024});
  ASSERT_FALSE(short_one.ok());
  EXPECT_NE(short_one.error().message().find("too short"), std::string::npos);
  EXPECT_FALSE(make({.length_tokens = 4096, .fact_count = 0}).ok());
  EXPECT_FALSE(make({.length_tokens = 1 << 20, .fact_count = 1'000'000}).ok());
}

TEST(ProseTest, SentencesAreWholeAndStartOver) {
  const auto prose = Prose::create("One is here. Two\n\nis here. Three. no end", "test");
  ASSERT_TRUE(prose.ok());
  ASSERT_EQ(prose->sentence_count(), 3);
  EXPECT_EQ(prose->sentence(1), "Two\n\nis here.");
  EXPECT_EQ(prose->sentence(5), "Three.");
  const auto titles = Prose::create("Mr. Knight saw St. John. And Mrs. Long. ", "test");
  ASSERT_TRUE(titles.ok());
  EXPECT_EQ(titles->sentence(0), "Mr. Knight saw St. John.");
  EXPECT_FALSE(Prose::create("one sentence without an end", "test").ok());
  EXPECT_FALSE(Prose::create("", "test").ok());
}

}  // namespace
}  // namespace kvasir::eval
