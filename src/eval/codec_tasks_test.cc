#include "eval/codec_tasks.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace kvasir::eval {
namespace {

// Ids that tell their places: first, first + 1, ...
CodecText text_of(const char* name, int32_t first, int64_t count) {
  CodecText text{.name = name, .ids = std::vector<int32_t>(static_cast<size_t>(count))};
  std::iota(text.ids.begin(), text.ids.end(), first);
  return text;
}

TEST(CodecTasksTest, PromptsLieEvenlyInAllTexts) {
  const std::vector<int32_t> before = {-7};
  const auto prompts = prompts_of({text_of("a", 0, 1320), text_of("b", 100'000, 570)}, before);
  ASSERT_TRUE(prompts.ok());
  ASSERT_EQ(std::ssize(*prompts), kPrompts);
  // A text's beginning has already what stands before texts.
  EXPECT_EQ(std::ssize((*prompts)[0].prompt), kPromptTokens);
  EXPECT_EQ((*prompts)[0].prompt[0], 0);
  EXPECT_EQ((*prompts)[1].prompt[0], 100'000);
  EXPECT_EQ(std::ssize((*prompts)[2].prompt), kPromptTokens + 1);
  EXPECT_EQ((*prompts)[2].prompt[0], -7);
  // 25 of each: a step of 1000 / 25, and of 250 / 25.
  EXPECT_EQ((*prompts)[2].prompt[1], 40);
  EXPECT_EQ((*prompts)[3].prompt[1], 100'010);
  EXPECT_EQ((*prompts)[49].prompt[1], 100'240);

  const auto none = prompts_of({text_of("a", 0, kPromptTokens - 1)}, before);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().where, "a");
}

TEST(CodecTasksTest, ContinuationsAreReadFromALog) {
  std::vector<Continuation> some(2);
  for (Continuation& one : some) one.tokens = text_of("", 5, kContinuedTokens).ids;
  const Json entry = Json::parse(to_json(some).dump(), "test").value();
  std::vector<Continuation> read(2);
  ASSERT_TRUE(take_continuations(entry, read).ok());
  EXPECT_EQ(read[1].tokens, some[1].tokens);

  std::vector<Continuation> other(3);
  EXPECT_FALSE(take_continuations(entry, other).ok());
  EXPECT_FALSE(take_continuations(Json(1), read).ok());
  some[0].tokens.pop_back();
  std::vector<Continuation> again(2);
  EXPECT_FALSE(take_continuations(to_json(some), again).ok());
}

}  // namespace
}  // namespace kvasir::eval
