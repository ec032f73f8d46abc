#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_test_support.h"
#include "server/dialects/reply_calls.h"

namespace kvasir::server {
namespace {

constexpr const char* kTools = R"("tools":[{"type":"function","function":{"name":"f"}},)"
                               R"({"type":"custom","custom":{"name":"sh"}}])";
constexpr const char* kFunctions = R"("functions":[{"name":"f"}])";

std::unique_ptr<Reply> reply_to(std::string_view fields) {
  const std::string body =
      R"({"messages":[{"role":"user","content":"hi"}],)" + std::string(fields) + "}";
  return chat_completions().reply(good_call(chat_completions(), body), probe_facts());
}
std::unique_ptr<Reply> stream_to(const std::string& fields) {
  auto reply = reply_to(fields + R"(,"stream":true)");
  reply->begin();
  return reply;
}

std::string id_of(int64_t call, int64_t choice = 0) {
  return "\"" + call_id(kOpenAiCallPrefix, "00ff", choice, call) + "\"";
}

// The deltas of a stream, a line each, and why it ended.
std::string deltas(std::string_view stream) {
  std::string out;
  for (const Json& chunk : stream_objects(stream)) {
    const Json& choice = chunk.find("choices")->as_array()->front();
    out += choice.find("delta")->dump();
    if (!choice.find("finish_reason")->is_null()) out += choice.find("finish_reason")->dump();
    out += "\n";
  }
  return out;
}

TEST(ChatCallsTest, ACallBeginsWithItsNameAndGoesOnWithArgumentsAlone) {
  const auto reply = stream_to(kTools);
  EXPECT_EQ(deltas(reply->event(0, call_event({{.index = 0, .name = "f"}}))),
            R"({"tool_calls":[{"index":0,"id":)" + id_of(0) +
                R"(,"type":"function","function":{"name":"f","arguments":""}}]})"
                "\n");
  EXPECT_EQ(deltas(reply->event(0, call_event({{.index = 0, .arguments = "{\"a\": "}}))),
            R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\": "}}]})"
            "\n");
  EXPECT_EQ(deltas(reply->event(0, call_event({{.index = 0, .arguments = "1}"},
                                               {.index = 0, .is_over = true},
                                               {.index = 1, .name = "f", .arguments = "{}"}}))),
            R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})"
            "\n"
            R"({"tool_calls":[{"index":1,"id":)" +
                id_of(1) +
                R"(,"type":"function","function":{"name":"f","arguments":""}}]})"
                "\n"
                R"({"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})"
                "\n");
  EXPECT_EQ(deltas(reply->event(0, end_event("", StopReason::kToolCalls))), "{}\"tool_calls\"\n");
}

TEST(ChatCallsTest, AReplyWithCallsEndsInCallsUnlessItWasCut) {
  const std::pair<StopReason, const char*> cases[] = {{StopReason::kToolCalls, "tool_calls"},
                                                      {StopReason::kEndOfText, "tool_calls"},
                                                      {StopReason::kTokenLimit, "length"}};
  for (const auto& [reason, expected] : cases) {
    const auto reply = stream_to(kTools);
    reply->event(0, call_event({{.index = 0, .name = "f"}}));
    EXPECT_EQ(deltas(reply->event(0, end_event("", reason))),
              "{}\"" + std::string(expected) + "\"\n");
  }
}

TEST(ChatCallsTest, AWholeMessageHasAllCalls) {
  const auto reply = reply_to(kTools);
  reply->event(0, call_event({{.index = 0, .name = "f", .arguments = "{\"a\""}}));
  reply->event(0, call_event({{.index = 0, .arguments = ": 1}", .is_over = true},
                              {.index = 1, .name = "sh"},
                              {.index = 1, .arguments = R"({"input": "ls\n"})", .is_over = true}}));
  reply->event(0, end_event("", StopReason::kToolCalls));
  const Json whole = *Json::parse(reply->finish(probe_usage()), "reply");
  const Json& choice = whole.find("choices")->as_array()->front();
  EXPECT_EQ(choice.find("message")->dump(),
            R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":)" + id_of(0) +
                R"(,"type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":)" +
                id_of(1) + R"(,"type":"custom","custom":{"name":"sh","input":"ls\n"}}]})");
  EXPECT_EQ(*choice.find("finish_reason")->as_string(), "tool_calls");
}

TEST(ChatCallsTest, TextBeforeACallIsItsContent) {
  const auto reply = reply_to(kTools);
  reply->event(0, piece_event("I look.", "hm"));
  reply->event(0, call_event({{.index = 0, .name = "f", .arguments = "{}", .is_over = true}}));
  reply->event(0, end_event("", StopReason::kToolCalls));
  const std::string whole = reply->finish(probe_usage());
  EXPECT_NE(whole.find(R"("content":"I look.","refusal":null,"reasoning_content":"hm",)"
                       R"("tool_calls":[)"),
            whole.npos)
      << whole;
}

TEST(ChatCallsTest, AnswersHaveCallsOfTheirOwn) {
  const auto reply = stream_to(kTools + std::string(R"(,"n":2)"));
  const std::string first = reply->event(0, call_event({{.index = 0, .name = "f"}}));
  const std::string second = reply->event(1, call_event({{.index = 0, .name = "f"}}));
  EXPECT_NE(first.find(id_of(0, 0)), first.npos);
  EXPECT_NE(second.find(id_of(0, 1)), second.npos);
  EXPECT_NE(id_of(0, 0), id_of(0, 1));
  EXPECT_EQ(deltas(reply->event(0, end_event("", StopReason::kToolCalls))), "{}\"tool_calls\"\n");
}

TEST(ChatCallsTest, ACustomToolGetsItsText) {
  const auto reply = stream_to(kTools);
  EXPECT_EQ(deltas(reply->event(0, call_event({{.index = 0, .name = "sh"},
                                               {.index = 0, .arguments = "{\"input\": \"l"}}))),
            R"({"tool_calls":[{"index":0,"id":)" + id_of(0) +
                R"(,"type":"custom","custom":{"name":"sh","input":""}}]})"
                "\n"
                R"({"tool_calls":[{"index":0,"custom":{"input":"l"}}]})"
                "\n");
  EXPECT_EQ(deltas(reply->event(0, call_event({{.index = 0, .arguments = "s\\n\"}"},
                                               {.index = 0, .is_over = true}}))),
            R"({"tool_calls":[{"index":0,"custom":{"input":"s\n"}}]})"
            "\n");
}

TEST(ChatCallsTest, WhoAskedForFunctionsGetsAFunctionCall) {
  const std::vector<CallPiece> pieces = {{.index = 0, .name = "f"},
                                         {.index = 0, .arguments = "{}", .is_over = true}};
  const auto streamed = stream_to(kFunctions);
  EXPECT_EQ(deltas(streamed->event(0, call_event(pieces))),
            R"({"function_call":{"name":"f","arguments":""}})"
            "\n"
            R"({"function_call":{"arguments":"{}"}})"
            "\n");
  EXPECT_EQ(deltas(streamed->event(0, end_event("", StopReason::kToolCalls))),
            "{}\"function_call\"\n");
  const auto whole = reply_to(kFunctions);
  whole->event(0, call_event(pieces));
  whole->event(0, end_event("", StopReason::kToolCalls));
  const std::string reply = whole->finish(probe_usage());
  EXPECT_NE(reply.find(R"("content":null,"refusal":null,)"
                       R"("function_call":{"name":"f","arguments":"{}"}},"logprobs":null,)"
                       R"("finish_reason":"function_call")"),
            reply.npos)
      << reply;
}

TEST(ChatCallsTest, LogprobsGoWithACallOnce) {
  const auto reply = stream_to(kTools + std::string(R"(,"logprobs":true)"));
  ServiceEvent event = call_event({{.index = 0, .name = "f"}, {.index = 0, .arguments = "{}"}});
  event.piece.tokens = {{.id = 1, .logprob = -1}};
  const std::vector<Json> chunks = stream_objects(reply->event(0, event));
  ASSERT_EQ(chunks.size(), 2u);
  const auto logprobs = [&](size_t i) {
    return chunks[i].find("choices")->as_array()->front().find("logprobs");
  };
  EXPECT_FALSE(logprobs(0)->is_null());
  EXPECT_TRUE(logprobs(1)->is_null());
}

}  // namespace
}  // namespace kvasir::server
