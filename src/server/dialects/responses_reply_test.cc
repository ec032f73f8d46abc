#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_test_support.h"
#include "server/dialects/reply_calls.h"

namespace kvasir::server {
namespace {

std::unique_ptr<Reply> reply_of(std::string_view fields) {
  const std::string body = R"({"input":"hi",)" + std::string(fields) + "}";
  return responses().reply(good_call(responses(), body), probe_facts());
}

// The members of an event that its name and its number leave to be told.
std::string frame(const std::string& name, int number, const std::string& members) {
  return "event: response." + name + "\ndata: {\"type\":\"response." + name +
         "\",\"sequence_number\":" + std::to_string(number) + "," + members + "}\n\n";
}

std::string object(const std::string& status, const std::string& output, const std::string& usage,
                   const std::string& incomplete = "null", const std::string& error = "null") {
  return R"({"id":"resp_00ff","object":"response","created_at":1700000000,"status":")" + status +
         R"(","error":)" + error + R"(,"incomplete_details":)" + incomplete +
         R"(,"instructions":null,"metadata":null,"model":"tiny","output":)" + output +
         R"(,"usage":)" + usage +
         R"(,"background":false,"max_output_tokens":null,"parallel_tool_calls":true,)"
         R"("previous_response_id":null,"prompt_cache_key":null,)"
         R"("reasoning":{"effort":null,"summary":null},"store":true,"temperature":1.0,)"
         R"("text":{"format":{"type":"text"}},"tool_choice":"auto","top_logprobs":0,)"
         R"("top_p":1.0,"truncation":"disabled","tools":[]})";
}

const std::string kUsage =
    R"({"input_tokens":7,"input_tokens_details":{"cached_tokens":5,"cache_write_tokens":0},)"
    R"("output_tokens":4,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":11})";
const std::string kReasoning =
    R"({"id":"rs_00ff00","type":"reasoning","summary":[],)"
    R"("content":[{"type":"reasoning_text","text":"hm"}],"status":"completed"})";
std::string message(const std::string& text, const std::string& status) {
  return R"({"id":"msg_00ff01","type":"message","role":"assistant","content":[)"
         R"({"type":"output_text","text":")" +
         text + R"(","annotations":[],"logprobs":[]}],"status":")" + status + R"("})";
}

constexpr const char* kReasoningPlace =
    R"("item_id":"rs_00ff00","output_index":0,"content_index":0,)";
constexpr const char* kTextPlace = R"("item_id":"msg_00ff01","output_index":1,"content_index":0,)";

TEST(ResponsesReplyTest, AStreamBeginsAnItemWithItsFirstText) {
  const auto reply = reply_of(R"("stream":true)");
  const std::string begun = R"("response":)" + object("in_progress", "[]", "null");
  EXPECT_EQ(reply->begin(), frame("created", 0, begun) + frame("in_progress", 1, begun));
  EXPECT_EQ(reply->event(0, {.kind = ServiceEvent::Kind::kStarted}), "");
  EXPECT_EQ(
      reply->event(0, piece_event("", "hm")),
      frame("output_item.added", 2,
            R"("output_index":0,"item":{"id":"rs_00ff00","type":"reasoning","summary":[],)"
            R"("content":[],"status":"in_progress"})") +
          frame("content_part.added", 3,
                kReasoningPlace + std::string(R"("part":{"type":"reasoning_text","text":""})")) +
          frame("reasoning_text.delta", 4, kReasoningPlace + std::string(R"("delta":"hm")")));
  EXPECT_EQ(
      reply->event(0, piece_event("a")),
      frame("reasoning_text.done", 5, kReasoningPlace + std::string(R"("text":"hm")")) +
          frame("content_part.done", 6,
                kReasoningPlace + std::string(R"("part":{"type":"reasoning_text","text":"hm"})")) +
          frame("output_item.done", 7, R"("output_index":0,"item":)" + kReasoning) +
          frame("output_item.added", 8,
                R"("output_index":1,"item":{"id":"msg_00ff01","type":"message",)"
                R"("role":"assistant","content":[],"status":"in_progress"})") +
          frame("content_part.added", 9,
                kTextPlace + std::string(R"("part":{"type":"output_text","text":"",)"
                                         R"("annotations":[],"logprobs":[]})")) +
          frame("output_text.delta", 10, kTextPlace + std::string(R"("delta":"a","logprobs":[])")));
}

TEST(ResponsesReplyTest, AStreamEndsWithTheWholeResponse) {
  const auto reply = reply_of(R"("stream":true)");
  reply->begin();
  reply->event(0, piece_event("", "hm"));
  reply->event(0, piece_event("a"));
  EXPECT_EQ(
      reply->event(0, end_event("b", StopReason::kEndOfText)),
      frame("output_text.delta", 11, kTextPlace + std::string(R"("delta":"b","logprobs":[])")));
  EXPECT_EQ(
      reply->finish(probe_usage()),
      frame("output_text.done", 12, kTextPlace + std::string(R"("text":"ab","logprobs":[])")) +
          frame("content_part.done", 13,
                kTextPlace + std::string(R"("part":{"type":"output_text","text":"ab",)"
                                         R"("annotations":[],"logprobs":[]})")) +
          frame("output_item.done", 14,
                R"("output_index":1,"item":)" + message("ab", "completed")) +
          frame("completed", 15,
                R"("response":)" + object("completed",
                                          "[" + kReasoning + "," + message("ab", "completed") + "]",
                                          kUsage)));
}

TEST(ResponsesReplyTest, AReplyThatWasCutIsIncomplete) {
  for (const bool streams : {false, true}) {
    const auto reply = reply_of(streams ? R"("stream":true)" : R"("stream":false)");
    reply->begin();
    reply->event(0, piece_event("", "hm"));
    reply->event(0, end_event("ab", StopReason::kTokenLimit));
    const std::string out = reply->finish(probe_usage());
    const std::string expected =
        object("incomplete", "[" + kReasoning + "," + message("ab", "incomplete") + "]", kUsage,
               R"({"reason":"max_output_tokens"})");
    if (streams) {
      EXPECT_TRUE(out.ends_with(R"(,"response":)" + expected + "}\n\n")) << out;
      EXPECT_NE(out.find("event: response.incomplete\n"), std::string::npos);
    } else {
      EXPECT_EQ(out, expected);
    }
  }
}

TEST(ResponsesReplyTest, ToldBackIsWhatIsDone) {
  const auto reply = reply_of(R"("stream":true,"instructions":"be","metadata":{"a":"b"},
      "temperature":0.5,"top_p":0.25,"max_output_tokens":9,"tool_choice":"none","store":false,
      "tools":[{"type":"function","name":"f"},{"type":"web_search"}],
      "reasoning":{"effort":"low"},"truncation":"auto",
      "parallel_tool_calls":false,"prompt_cache_key":"k")");
  const std::vector<Json> begun = stream_objects(reply->begin());
  const Json& told = *begun.at(0).find("response");
  const std::pair<const char*, const char*> fields[] = {
      {"instructions", R"("be")"},
      {"metadata", R"({"a":"b"})"},
      {"temperature", "0.5"},
      {"top_p", "0.25"},
      {"max_output_tokens", "9"},
      {"tool_choice", R"("none")"},
      {"store", "false"},
      {"tools", R"([{"type":"function","name":"f"}])"},
      {"truncation", R"("disabled")"},
      {"reasoning", R"({"effort":"low","summary":null})"},
      {"prompt_cache_key", R"("k")"},
      {"parallel_tool_calls", "false"}};
  for (const auto& [name, value] : fields) EXPECT_EQ(told.find(name)->dump(), value) << name;
}

TEST(ResponsesReplyTest, AHeartbeatIsInProgressWithoutLongTexts) {
  const auto reply = reply_of(R"("stream":true,"instructions":"be")");
  reply->begin();
  EXPECT_EQ(reply->heartbeat(
                {.done_tokens = 3, .total_tokens = 9, .reused_tokens = 1, .elapsed_ms = 1.5}),
            frame("in_progress", 2,
                  R"("response":)" + object("in_progress", "[]", "null") +
                      R"(,"prompt_progress":{"total":9,"cache":1,"processed":3,"time_ms":1.5})"));
}

TEST(ResponsesReplyTest, AStreamThatFailsSaysWhyInItsResponse) {
  const std::pair<ApiError, const char*> cases[] = {
      {{.kind = ApiErrorKind::kServer, .message = "broke"},
       R"({"code":"server_error","message":"broke"})"},
      {{.kind = ApiErrorKind::kInvalidRequest, .message = "no"},
       R"({"code":"invalid_prompt","message":"no"})"},
      {{.kind = ApiErrorKind::kBusy, .message = "full"},
       R"({"code":"rate_limit_exceeded","message":"full"})"},
      {{.kind = ApiErrorKind::kContextLength, .tokens = 9, .tokens_max = 4},
       R"({"code":"context_length_exceeded","message":"This model's maximum context length is 4)"
       R"( tokens. However, your input resulted in 9 tokens."})"}};
  for (const auto& [error, told] : cases) {
    const auto reply = reply_of(R"("stream":true)");
    reply->begin();
    EXPECT_EQ(reply->fail(error),
              frame("failed", 2, R"("response":)" + object("failed", "[]", "null", "null", told)));
  }
}

constexpr const char* kTools =
    R"("tools":[{"type":"function","name":"f"},{"type":"custom","name":"sh"},)"
    R"({"type":"namespace","name":"ns","tools":[{"type":"function","name":"g"}]}])";

std::string call_item(int64_t call, const std::string& status, const std::string& arguments) {
  return R"({"id":"fc_00ff0)" + std::to_string(call) + R"(","type":"function_call","status":")" +
         status + R"(","call_id":")" + call_id(kOpenAiCallPrefix, "00ff", 0, call) +
         R"(","name":"f","arguments":")" + arguments + "\"}";
}

TEST(ResponsesReplyTest, ACallIsAnItemThatBeginsWithoutArguments) {
  const auto reply = reply_of(kTools + std::string(R"(,"stream":true)"));
  reply->begin();
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .name = "f"}})),
            frame("output_item.added", 2,
                  R"("output_index":0,"item":)" + call_item(0, "in_progress", "")));
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .arguments = "{\"a\": "}})),
            frame("function_call_arguments.delta", 3,
                  R"("item_id":"fc_00ff00","output_index":0,"delta":"{\"a\": ")"));
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .arguments = "1}", .is_over = true},
                                        {.index = 1, .name = "f"}})),
            frame("function_call_arguments.delta", 4,
                  R"("item_id":"fc_00ff00","output_index":0,"delta":"1}")") +
                frame("function_call_arguments.done", 5,
                      R"("item_id":"fc_00ff00","output_index":0,"arguments":"{\"a\": 1}",)"
                      R"("name":"f")") +
                frame("output_item.done", 6,
                      R"("output_index":0,"item":)" + call_item(0, "completed", R"({\"a\": 1})")) +
                frame("output_item.added", 7,
                      R"("output_index":1,"item":)" + call_item(1, "in_progress", "")));
  reply->event(0, end_event("", StopReason::kTokenLimit));
  const std::vector<Json> last = stream_objects(reply->finish(probe_usage()));
  // Only the call that was cut is incomplete.
  EXPECT_EQ(last.at(1).find("item")->dump(), call_item(1, "incomplete", ""));
  EXPECT_EQ(last.back().find("response")->find("output")->dump(),
            "[" + call_item(0, "completed", R"({\"a\": 1})") + "," +
                call_item(1, "incomplete", "") + "]");
}

TEST(ResponsesReplyTest, ACustomCallHasItsTextAsInput) {
  const auto reply = reply_of(kTools + std::string(R"(,"stream":true)"));
  reply->begin();
  std::string out = reply->event(0, call_event({{.index = 0, .name = "sh"}}));
  const std::string head = R"({"id":"ctc_00ff00","type":"custom_tool_call","status":")";
  const std::string id = R"(","call_id":")" + call_id(kOpenAiCallPrefix, "00ff", 0, 0);
  EXPECT_EQ(out, frame("output_item.added", 2,
                       R"("output_index":0,"item":)" + head + "in_progress" + id +
                           R"(","name":"sh","input":""})"));
  // Half an escape says nothing yet.
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .arguments = "{\"input\": \"\\"}})), "");
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .arguments = "tx\"}", .is_over = true}})),
            frame("custom_tool_call_input.delta", 3,
                  R"("item_id":"ctc_00ff00","output_index":0,"delta":"\tx")") +
                frame("custom_tool_call_input.done", 4,
                      R"("item_id":"ctc_00ff00","output_index":0,"input":"\tx")") +
                frame("output_item.done", 5,
                      R"("output_index":0,"item":)" + head + "completed" + id +
                          R"(","name":"sh","input":"\tx"})"));
}

TEST(ResponsesReplyTest, AToolOfANamespaceIsToldAsItsClientKnowsIt) {
  for (const bool streams : {false, true}) {
    const auto reply =
        reply_of(kTools + std::string(streams ? R"(,"stream":true)" : R"(,"stream":false)"));
    reply->begin();
    reply->event(0, piece_event("a"));
    reply->event(0,
                 call_event({{.index = 0, .name = "ns__g", .arguments = "{}", .is_over = true},
                             {.index = 1, .name = "ns__h", .arguments = "{}", .is_over = true}}));
    reply->event(0, end_event("", StopReason::kToolCalls));
    const std::string out = reply->finish(probe_usage());
    const Json last =
        streams ? *stream_objects(out).back().find("response") : *Json::parse(out, "test");
    EXPECT_EQ(*last.find("status")->as_string(), "completed");
    const Json::Array& items = *last.find("output")->as_array();
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(*items[1].find("name")->as_string(), "g");
    EXPECT_EQ(*items[1].find("namespace")->as_string(), "ns");
    // One that the model made up.
    EXPECT_EQ(*items[2].find("name")->as_string(), "ns__h");
    EXPECT_EQ(items[2].find("namespace"), nullptr);
  }
}

TEST(ResponsesReplyTest, TokensOfCallsAreNotTold) {
  for (const bool streams : {false, true}) {
    const auto reply =
        reply_of(kTools + std::string(R"(,"include":["message.output_text.logprobs"])") +
                 (streams ? R"(,"stream":true)" : ""));
    reply->begin();
    ServiceEvent call = call_event({{.index = 0, .name = "f"}});
    call.piece.tokens = {{.id = 1, .logprob = -1}};
    reply->event(0, call);
    ServiceEvent end = end_event("", StopReason::kToolCalls);
    end.piece.tokens = {{.id = 2, .logprob = -2}};
    reply->event(0, end);
    const std::string out = reply->finish(probe_usage());
    EXPECT_EQ(out.find("output_text"), out.npos) << out;
  }
}

TEST(ResponsesReplyTest, ReasoningHasAKeyWhereItIsAskedFor) {
  const auto reply = reply_of(R"("include":["reasoning.encrypted_content"])");
  reply->event(0, piece_event("a", "hm"));
  EXPECT_NE(reply->finish(probe_usage()).find(R"("encrypted_content":"00ff")"), std::string::npos);
}

TEST(ResponsesReplyTest, LogprobsAreThoseOfTheAnswer) {
  for (const bool streams : {false, true}) {
    const auto reply = reply_of(std::string(R"("include":["message.output_text.logprobs"],)") +
                                (streams ? R"("stream":true)" : R"("stream":false)"));
    reply->begin();
    reply->event(0, piece_event("", "hm", {{.id = 1, .logprob = -1}}));
    // A token whose text is held back comes first.
    reply->event(0, piece_event("", "", {{.id = 2, .logprob = -2}}));
    reply->event(0, piece_event("ab", "", {{.id = 3, .logprob = -3}}));
    ServiceEvent end = end_event("", StopReason::kEndOfText);
    end.piece.tokens = {{.id = 4, .logprob = -4}};
    reply->event(0, end);
    const std::string out = reply->finish(probe_usage());
    const Json last =
        streams ? *stream_objects(out).back().find("response") : *Json::parse(out, "test");
    const Json& content = last.find("output")->as_array()->at(1).find("content")->as_array()->at(0);
    std::string tokens;
    for (const Json& token : *content.find("logprobs")->as_array()) {
      tokens += *token.find("token")->as_string() + token.find("logprob")->dump();
    }
    EXPECT_EQ(tokens, "<2>-2.0<3>-3.0<4>-4.0");
  }
}

}  // namespace
}  // namespace kvasir::server
