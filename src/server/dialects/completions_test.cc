#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

Call call_with(std::string_view fields) {
  return good_call(completions(), R"({"prompt":"Once",)" + std::string(fields) + "}");
}

using Prompts = std::vector<Call::TextOrIds>;
using Ids = std::vector<int32_t>;

TEST(CompletionsTest, ReadsPromptsInAllForms) {
  const struct {
    const char* prompt;
    Prompts expected;
  } cases[] = {
      {R"("Once")", {std::string("Once")}},
      {R"("")", {std::string()}},
      {R"([1,2,3])", {Ids{1, 2, 3}}},
      {R"(["a","b"])", {std::string("a"), std::string("b")}},
      {R"([[1],[2,3]])", {Ids{1}, Ids{2, 3}}},
      {R"(["a",[4]])", {std::string("a"), Ids{4}}},
  };
  for (const auto& [prompt, expected] : cases) {
    const Call call = good_call(completions(), R"({"prompt":)" + std::string(prompt) + "}");
    EXPECT_EQ(call.prompts, expected) << prompt;
    EXPECT_TRUE(call.messages.empty());
  }
}

TEST(CompletionsTest, WhatIsLeftOutIsAsOpenAiHasIt) {
  const Call call = good_call(completions(), R"({"prompt":"Once"})");
  EXPECT_EQ(call.tokens_max, 16);
  EXPECT_EQ(call.options.sampling.temperature, 1);
  EXPECT_FALSE(call.wants_prompt_texts);
  EXPECT_FALSE(call.options.wants_logprobs);
}

TEST(CompletionsTest, ReadsWhatToSend) {
  EXPECT_EQ(call_with(R"("max_tokens":0,"echo":true)").tokens_max, 0);
  EXPECT_EQ(call_with(R"("max_tokens":-1)").tokens_max, std::nullopt);
  EXPECT_EQ(call_with(R"("n":3,"best_of":3)").answer_count, 3);
  EXPECT_EQ(call_with(R"("suffix":"","stop":["x"],"seed":4)").options.sampling.seed, 4u);
  const Call echo = call_with(R"("echo":true)");
  EXPECT_TRUE(echo.wants_prompt_texts);
  EXPECT_FALSE(echo.wants_prompt_logprobs);
  const Call both = call_with(R"("echo":true,"logprobs":0)");
  EXPECT_TRUE(both.wants_prompt_logprobs);
  EXPECT_TRUE(both.options.wants_logprobs);
  EXPECT_EQ(both.options.top_logprob_count, 0);
  const Call logprobs = call_with(R"("logprobs":5)");
  EXPECT_FALSE(logprobs.wants_prompt_logprobs);
  EXPECT_EQ(logprobs.options.top_logprob_count, 5);
}

TEST(CompletionsTest, RefusesFieldsByName) {
  std::vector<RefusedBody> bodies = {
      {R"({})", "prompt"},
      {R"({"prompt":null})", "prompt"},
      {R"({"prompt":5})", "prompt"},
      {R"({"prompt":{}})", "prompt"},
      {R"({"prompt":[]})", "prompt"},
      {R"({"prompt":[1,"a"]})", "prompt[1]"},
      {R"({"prompt":[1,-1]})", "prompt[1]"},
      {R"({"prompt":[1,2147483648]})", "prompt[1]"},
      {R"({"prompt":[1.5]})", "prompt[0]"},
      {R"({"prompt":["a",1]})", "prompt[1]"},
      {R"({"prompt":[[1],[]]})", "prompt[1]"},
      {R"({"prompt":[[1],[2,null]]})", "prompt[1][1]"},
      {R"([])", "body"},
  };
  const std::pair<const char*, const char*> fields[] = {
      {R"("suffix":"end")", "suffix"},      {R"("best_of":2)", "best_of"},
      {R"("n":2,"best_of":4)", "best_of"},  {R"("logprobs":21)", "logprobs"},
      {R"("logprobs":true)", "logprobs"},   {R"("echo":1)", "echo"},
      {R"("max_tokens":-2)", "max_tokens"}, {R"("temperature":[])", "temperature"},
  };
  for (const auto& [field, name] : fields) {
    bodies.push_back({R"({"prompt":"Once",)" + std::string(field) + "}", name});
  }
  std::string many = R"({"prompt":["")";
  for (int i = 0; i < 128; ++i) many += R"(,"")";
  bodies.push_back({many + "]}", "prompt"});
  expect_refused(completions(), bodies);
}

TEST(CompletionsTest, ToolsHaveNoPlaceInAText) {
  const Call call = good_call(completions(), R"({"prompt":"x","tools":[{"type":"function"}]})");
  EXPECT_EQ(call.ignored, std::vector<std::string>{"tools"});
  EXPECT_FALSE(call.options.reads_calls);
  EXPECT_TRUE(good_call(completions(), R"({"prompt":"x","tools":[]})").ignored.empty());
}

}  // namespace
}  // namespace kvasir::server
