#include "server/dialects/chat_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kMessages = R"("messages":[{"role":"user","content":"hi"}])";
constexpr std::string_view kChunk =
    R"(data: {"id":"chatcmpl-00ff","object":"chat.completion.chunk","created":1700000000,)"
    R"("model":"tiny","system_fingerprint":"fp","choices":)";

std::unique_ptr<Reply> reply_to(std::string_view fields) {
  const std::string body = "{" + std::string(kMessages) + std::string(fields) + "}";
  return chat_completions().reply(good_call(chat_completions(), body), probe_facts());
}

std::string chunk(std::string_view choices, std::string_view rest = "") {
  return std::string(kChunk) + std::string(choices) + std::string(rest) + "}\n\n";
}

TEST(ChatReplyTest, StreamsDeltas) {
  const auto reply = reply_to(R"(,"stream":true)");
  EXPECT_EQ(reply->begin(),
            chunk(R"([{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,)"
                  R"("finish_reason":null}])"));
  EXPECT_EQ(reply->event(0, {.kind = ServiceEvent::Kind::kStarted}), "");
  EXPECT_EQ(reply->event(0, piece_event("", "hm")),
            chunk(R"([{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":null,)"
                  R"("finish_reason":null}])"));
  EXPECT_EQ(reply->event(0, piece_event("Yes", "!")),
            chunk(R"([{"index":0,"delta":{"reasoning_content":"!"},"logprobs":null,)"
                  R"("finish_reason":null}])") +
                chunk(R"([{"index":0,"delta":{"content":"Yes"},"logprobs":null,)"
                      R"("finish_reason":null}])"));
  EXPECT_EQ(reply->event(0, end_event("", StopReason::kStopString)),
            chunk(R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}])"));
  EXPECT_EQ(reply->finish(probe_usage()), "data: [DONE]\n\n");
}

TEST(ChatReplyTest, UsageComesLastWhereItIsAskedFor) {
  const auto reply = reply_to(R"(,"stream":true,"stream_options":{"include_usage":true})");
  reply->begin();
  EXPECT_EQ(reply->event(0, end_event("", StopReason::kTokenLimit)),
            chunk(R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}])",
                  R"(,"usage":null)"));
  EXPECT_EQ(reply->finish(probe_usage()),
            chunk("[]", R"(,"usage":)" + std::string(kProbeUsage)) + "data: [DONE]\n\n");
}

TEST(ChatReplyTest, SeveralAnswersAreNumberedFromTheBeginning) {
  const auto reply = reply_to(R"(,"stream":true,"n":3)");
  const std::vector<Json> first = stream_objects(reply->begin());
  ASSERT_EQ(first.size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    const Json& choice = first[static_cast<size_t>(i)].find("choices")->as_array()->front();
    EXPECT_EQ(*choice.find("index")->as_integer(), i);
  }
  EXPECT_EQ(reply->event(2, piece_event("x")),
            chunk(R"([{"index":2,"delta":{"content":"x"},"logprobs":null,)"
                  R"("finish_reason":null}])"));
}

TEST(ChatReplyTest, LogprobsGoWithTheirText) {
  const auto reply = reply_to(R"(,"stream":true,"logprobs":true,"top_logprobs":1)");
  const std::vector<SampledToken> tokens = {
      {.id = 5, .logprob = -0.1f, .most_likely = {{.id = 6, .logprob = -0.05f}}}};
  const std::string logprobs =
      R"({"content":[{"token":"<5>","logprob":-0.1,"bytes":[60,53,62],)"
      R"("top_logprobs":[{"token":"<6>","logprob":-0.05,"bytes":[60,54,62]}]}],"refusal":null})";
  EXPECT_EQ(reply->event(0, piece_event("x", "", tokens)),
            chunk(R"([{"index":0,"delta":{"content":"x"},"logprobs":)" + logprobs +
                  R"(,"finish_reason":null}])"));
  // Their text is held back still.
  EXPECT_EQ(
      reply->event(0, piece_event("", "", tokens)),
      chunk(R"([{"index":0,"delta":{},"logprobs":)" + logprobs + R"(,"finish_reason":null}])"));
}

TEST(ChatReplyTest, AHeartbeatSaysHowFarThePromptIs) {
  const auto reply = reply_to(R"(,"stream":true)");
  const ReplyProgress progress{
      .done_tokens = 300, .total_tokens = 900, .reused_tokens = 100, .elapsed_ms = 1500};
  EXPECT_EQ(reply->heartbeat(progress),
            ": 300 of 900 prompt tokens\n\n" +
                chunk(R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":null}])",
                      R"(,"prompt_progress":{"total":900,"cache":100,"processed":300,)"
                      R"("time_ms":1500.0})"));
  EXPECT_TRUE(reply->heartbeat({.queue_place = 2}).starts_with(": place 2 in the queue"));
}

TEST(ChatReplyTest, AStreamThatFailsEndsInAnError) {
  const auto reply = reply_to(R"(,"stream":true)");
  reply->begin();
  EXPECT_EQ(reply->fail({.kind = ApiErrorKind::kServer, .message = "it broke"}),
            R"(data: {"error":{"message":"it broke","type":"server_error","param":null,)"
            R"("code":null}})"
            "\n\n");
}

TEST(ChatReplyTest, AWholeReplyComesAtTheEnd) {
  const auto reply = reply_to(R"(,"n":2)");
  EXPECT_EQ(reply->begin(), "");
  EXPECT_EQ(reply->event(0, {.kind = ServiceEvent::Kind::kStarted}), "");
  EXPECT_EQ(reply->event(1, piece_event("no", "hm")), "");
  EXPECT_EQ(reply->event(0, piece_event("y")), "");
  EXPECT_EQ(reply->event(0, end_event("es", StopReason::kEndOfText)), "");
  EXPECT_EQ(reply->event(1, end_event("", StopReason::kTokenLimit)), "");
  EXPECT_EQ(reply->finish(probe_usage()),
            R"({"id":"chatcmpl-00ff","object":"chat.completion","created":1700000000,)"
            R"("model":"tiny","system_fingerprint":"fp","choices":[)"
            R"({"index":0,"message":{"role":"assistant","content":"yes","refusal":null},)"
            R"("logprobs":null,"finish_reason":"stop"},)"
            R"({"index":1,"message":{"role":"assistant","content":"no","refusal":null,)"
            R"("reasoning_content":"hm"},"logprobs":null,"finish_reason":"length"}],"usage":)" +
                std::string(kProbeUsage) + "}");
}

TEST(ChatReplyTest, AWholeReplyHasAllLogprobs) {
  const auto reply = reply_to(R"(,"logprobs":true)");
  reply->event(0, piece_event("x", "", {{.id = 1, .logprob = -1}}));
  reply->event(0, piece_event("y", "", {{.id = 2, .logprob = -2}}));
  reply->event(0, end_event("", StopReason::kEndOfText));
  const Json whole = *Json::parse(reply->finish(probe_usage()), "reply");
  const Json& choice = whole.find("choices")->as_array()->front();
  EXPECT_EQ(choice.find("logprobs")->dump(),
            R"({"content":[{"token":"<1>","logprob":-1.0,"bytes":[60,49,62],"top_logprobs":[]},)"
            R"({"token":"<2>","logprob":-2.0,"bytes":[60,50,62],"top_logprobs":[]}],)"
            R"("refusal":null})");
}

}  // namespace
}  // namespace kvasir::server
