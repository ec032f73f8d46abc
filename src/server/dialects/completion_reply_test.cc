#include "server/dialects/completion_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kHead =
    R"({"id":"cmpl-00ff","object":"text_completion","created":1700000000,)"
    R"("model":"tiny","system_fingerprint":"fp","choices":)";

std::unique_ptr<Reply> reply_to(std::string_view body, std::vector<std::string> prompts = {}) {
  ReplyFacts facts = probe_facts();
  facts.prompt_texts = std::move(prompts);
  return completions().reply(good_call(completions(), body), std::move(facts));
}

std::string chunk(std::string_view choices, std::string_view rest = "") {
  return "data: " + std::string(kHead) + std::string(choices) + std::string(rest) + "}\n\n";
}

ServiceEvent started_event(std::vector<SampledToken> tokens = {}) {
  return {.kind = ServiceEvent::Kind::kStarted, .prompt_logprobs = std::move(tokens)};
}

TEST(CompletionReplyTest, StreamsTexts) {
  const auto reply = reply_to(R"({"prompt":["a","b"],"n":2,"stream":true,
                                  "stream_options":{"include_usage":true}})");
  EXPECT_EQ(reply->begin(), ": accepted\n\n");
  EXPECT_EQ(reply->event(2, started_event()), "");
  EXPECT_EQ(reply->event(3, piece_event("")), "");
  EXPECT_EQ(reply->event(3, piece_event("so")),
            chunk(R"([{"index":3,"text":"so","logprobs":null,"finish_reason":null}])",
                  R"(,"usage":null)"));
  EXPECT_EQ(reply->event(3, end_event("on", StopReason::kTokenLimit)),
            chunk(R"([{"index":3,"text":"on","logprobs":null,"finish_reason":"length"}])",
                  R"(,"usage":null)"));
  EXPECT_EQ(reply->finish(probe_usage()),
            chunk("[]", R"(,"usage":)" + std::string(kProbeUsage)) + "data: [DONE]\n\n");
}

TEST(CompletionReplyTest, APromptIsRepeatedOnceInEachOfItsAnswers) {
  const auto reply =
      reply_to(R"({"prompt":["a","b"],"n":2,"stream":true,"echo":true})", {"one", "two"});
  EXPECT_EQ(reply->event(2, started_event()),
            chunk(R"([{"index":2,"text":"two","logprobs":null,"finish_reason":null}])") +
                chunk(R"([{"index":3,"text":"two","logprobs":null,"finish_reason":null}])"));
}

// What evaluation harnesses ask for: nothing new, and how likely the prompt was.
TEST(CompletionReplyTest, APromptIsJudged) {
  const auto reply =
      reply_to(R"({"prompt":"<2>é<3>","echo":true,"max_tokens":0,"logprobs":1})", {"<2>é<3>"});
  reply->event(0, started_event({{.id = 1, .most_likely = {{.id = 1}}},
                                 {.id = 2, .logprob = -0.5f, .most_likely = {{9, -0.25f}}},
                                 {.id = 3, .logprob = -2, .most_likely = {{3, -2}}}}));
  reply->event(0, end_event("", StopReason::kTokenLimit));
  EXPECT_EQ(reply->finish(probe_usage()),
            std::string(kHead) +
                R"([{"index":0,"text":"<2>é<3>","logprobs":{"tokens":["<1>","<2>","<3>"],)"
                R"("token_logprobs":[null,-0.5,-2.0],)"
                R"("top_logprobs":[null,{"<9>":-0.25,"<2>":-0.5},{"<3>":-2.0}],)"
                R"("text_offset":[0,1,4]},"finish_reason":"length"}],"usage":)" +
                std::string(kProbeUsage) + "}");
}

TEST(CompletionReplyTest, LogprobsOfAStreamGoOnCounting) {
  const auto reply = reply_to(R"({"prompt":"ab","echo":true,"logprobs":0,"stream":true})", {"ab"});
  reply->event(0, started_event());
  const auto logprobs = [](std::string_view lists) {
    return chunk(R"([{"index":0,"text":"","logprobs":{)" + std::string(lists) +
                 R"(},"finish_reason":null}])");
  };
  EXPECT_EQ(reply->event(0, piece_event("", "", {{.id = 4, .logprob = -1}})),
            logprobs(R"("tokens":["<4>"],"token_logprobs":[-1.0],"top_logprobs":null,)"
                     R"("text_offset":[2])"));
  EXPECT_EQ(reply->event(0, piece_event("", "", {{.id = 0xe2, .logprob = -1}})),
            logprobs(R"("tokens":["bytes:\\xe2"],"token_logprobs":[-1.0],"top_logprobs":null,)"
                     R"("text_offset":[5])"));
}

TEST(CompletionReplyTest, AHeartbeatSaysHowFarThePromptsAre) {
  const auto reply = reply_to(R"({"prompt":"a","stream":true})");
  EXPECT_EQ(reply->heartbeat({.done_tokens = 1, .total_tokens = 2}),
            ": 1 of 2 prompt tokens\n\n" +
                chunk(R"([{"index":0,"text":"","logprobs":null,"finish_reason":null}])",
                      R"(,"prompt_progress":{"total":2,"cache":0,"processed":1,"time_ms":0.0})"));
}

TEST(CompletionReplyTest, AStreamThatFailsEndsInAnError) {
  const auto reply = reply_to(R"({"prompt":"a","stream":true})");
  EXPECT_EQ(reply->fail({.kind = ApiErrorKind::kTimeout, .message = "too late"}),
            R"(data: {"error":{"message":"too late","type":"timeout_error","param":null,)"
            R"("code":"timeout"}})"
            "\n\n");
}

}  // namespace
}  // namespace kvasir::server
