#include <gtest/gtest.h>

#include <string>

#include "server/dialects/openai_test_support.h"
#include "server/dialects/reply_calls.h"

namespace kvasir::server {
namespace {

std::unique_ptr<Reply> reply_of(bool streams) {
  const std::string body =
      std::string(R"({"messages":[{"role":"user","content":"hi"}],"stream":)") +
      (streams ? "true}" : "false}");
  return messages().reply(good_call(messages(), body), probe_facts());
}

std::string frame(const std::string& name, const std::string& members) {
  return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + members + "}\n\n";
}

const std::string kUsage =
    R"("usage":{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,)"
    R"("cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},)"
    R"("output_tokens":4,"output_tokens_details":{"thinking_tokens":1}})";

TEST(MessagesReplyTest, AStreamIsTheseEvents) {
  const auto reply = reply_of(true);
  EXPECT_EQ(
      reply->begin(),
      frame("message_start",
            R"(,"message":{"id":"msg_00ff","type":"message","role":"assistant","model":"tiny",)"
            R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,)"
            R"("cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},)"
            R"("output_tokens":0,"output_tokens_details":{"thinking_tokens":0}}})") +
          frame("ping", ""));
  EXPECT_EQ(reply->event(0, {.kind = ServiceEvent::Kind::kStarted}), "");
  EXPECT_EQ(
      reply->event(0, piece_event("", "hm")),
      frame("content_block_start",
            R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})") +
          frame("content_block_delta",
                R"(,"index":0,"delta":{"type":"thinking_delta","thinking":"hm"})"));
  EXPECT_EQ(reply->event(0, piece_event("", "!")),
            frame("content_block_delta",
                  R"(,"index":0,"delta":{"type":"thinking_delta","thinking":"!"})"));
  EXPECT_EQ(
      reply->event(0, piece_event("a")),
      frame("content_block_delta",
            R"(,"index":0,"delta":{"type":"signature_delta","signature":"00ff"})") +
          frame("content_block_stop", R"(,"index":0)") +
          frame("content_block_start", R"(,"index":1,"content_block":{"type":"text","text":""})") +
          frame("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"a"})"));
  EXPECT_EQ(reply->event(0, end_event("b", StopReason::kEndOfText)),
            frame("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"b"})"));
  EXPECT_EQ(reply->finish(probe_usage()),
            frame("content_block_stop", R"(,"index":1)") +
                frame("message_delta",
                      R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},)" + kUsage) +
                frame("message_stop", ""));
}

TEST(MessagesReplyTest, AWholeReplyIsOneMessage) {
  const auto reply = reply_of(false);
  EXPECT_EQ(reply->begin(), "");
  EXPECT_EQ(reply->event(0, piece_event("", "hm")), "");
  EXPECT_EQ(reply->event(0, piece_event("a")), "");
  ServiceEvent end = end_event("b", StopReason::kStopString);
  end.stop_string = "END";
  EXPECT_EQ(reply->event(0, end), "");
  EXPECT_EQ(
      reply->finish(probe_usage()),
      R"({"id":"msg_00ff","type":"message","role":"assistant","model":"tiny","content":[)"
      R"({"type":"thinking","thinking":"hm","signature":"00ff"},{"type":"text","text":"ab"}],)"
      R"("stop_reason":"stop_sequence","stop_sequence":"END",)" +
          kUsage + "}");
}

// Programs take the first block's text without looking.
TEST(MessagesReplyTest, AnEmptyAnswerIsAnEmptyText) {
  const auto whole = reply_of(false);
  whole->event(0, end_event("", StopReason::kTokenLimit));
  const Json message = *Json::parse(whole->finish(probe_usage()), "test");
  EXPECT_EQ(message.find("content")->dump(), R"([{"type":"text","text":""}])");
  EXPECT_EQ(*message.find("stop_reason")->as_string(), "max_tokens");
  const auto streamed = reply_of(true);
  streamed->event(0, end_event("", StopReason::kTokenLimit));
  EXPECT_TRUE(streamed->finish(probe_usage())
                  .starts_with(frame("content_block_start",
                                     R"(,"index":0,"content_block":{"type":"text","text":""})") +
                               frame("content_block_stop", R"(,"index":0)")));
}

std::string call_block(int64_t call, const std::string& name, const std::string& input) {
  return R"({"type":"tool_use","id":")" + call_id(kAnthropicCallPrefix, "00ff", 0, call) +
         R"(","name":")" + name + R"(","input":)" + input + "}";
}

TEST(MessagesReplyTest, ACallIsABlockThatBeginsWithoutInput) {
  const auto reply = reply_of(true);
  reply->begin();
  reply->event(0, piece_event("a"));
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .name = "f"}})),
            frame("content_block_stop", R"(,"index":0)") +
                frame("content_block_start",
                      R"(,"index":1,"content_block":)" + call_block(0, "f", "{}")));
  EXPECT_EQ(reply->event(0, call_event({{.index = 0, .arguments = "{\"x\": "}})),
            frame("content_block_delta",
                  R"(,"index":1,"delta":{"type":"input_json_delta","partial_json":"{\"x\": "})"));
  // It is closed as soon as it is over.
  EXPECT_EQ(
      reply->event(0, call_event({{.index = 0, .arguments = "1}"},
                                  {.index = 0, .is_over = true},
                                  {.index = 1, .name = "g", .arguments = "{}", .is_over = true}})),
      frame("content_block_delta",
            R"(,"index":1,"delta":{"type":"input_json_delta","partial_json":"1}"})") +
          frame("content_block_stop", R"(,"index":1)") +
          frame("content_block_start",
                R"(,"index":2,"content_block":)" + call_block(1, "g", "{}")) +
          frame("content_block_delta",
                R"(,"index":2,"delta":{"type":"input_json_delta","partial_json":"{}"})") +
          frame("content_block_stop", R"(,"index":2)"));
  EXPECT_EQ(reply->event(0, end_event("", StopReason::kToolCalls)), "");
  EXPECT_EQ(reply->finish(probe_usage()),
            frame("message_delta",
                  R"(,"delta":{"stop_reason":"tool_use","stop_sequence":null},)" + kUsage) +
                frame("message_stop", ""));
}

TEST(MessagesReplyTest, ACallThatIsCutIsClosedAtTheEnd) {
  const auto reply = reply_of(true);
  reply->begin();
  reply->event(0, call_event({{.index = 0, .name = "f", .arguments = "{\"x\": "}}));
  reply->event(0, end_event("", StopReason::kTokenLimit));
  EXPECT_TRUE(reply->finish(probe_usage())
                  .starts_with(frame("content_block_stop", R"(,"index":0)") +
                               frame("message_delta", R"(,"delta":{"stop_reason":"max_tokens",)"
                                                      R"("stop_sequence":null},)" +
                                                          kUsage)));
}

TEST(MessagesReplyTest, AWholeCallHasAnObjectAsInput) {
  const auto reply = reply_of(false);
  reply->event(0, piece_event("", "hm"));
  const char* arguments[] = {R"({"z": 1, "a": [2]})", "", "[1]", R"({"cut": )"};
  for (int64_t i = 0; i < std::ssize(arguments); ++i) {
    reply->event(
        0, call_event({{.index = i, .name = "f", .arguments = arguments[i], .is_over = true}}));
  }
  reply->event(0, end_event("", StopReason::kEndOfText));
  const Json message = *Json::parse(reply->finish(probe_usage()), "test");
  EXPECT_EQ(message.find("content")->dump(),
            R"([{"type":"thinking","thinking":"hm","signature":"00ff"},)" +
                call_block(0, "f", R"({"z":1,"a":[2]})") + "," + call_block(1, "f", "{}") + "," +
                call_block(2, "f", R"({"arguments":"[1]"})") + "," +
                call_block(3, "f", R"({"arguments":"{\"cut\": "})") + "]");
  EXPECT_EQ(*message.find("stop_reason")->as_string(), "tool_use");
}

TEST(MessagesReplyTest, AHeartbeatIsAPing) {
  EXPECT_EQ(
      reply_of(true)->heartbeat(
          {.done_tokens = 3, .total_tokens = 9, .reused_tokens = 1, .elapsed_ms = 1.5}),
      frame("ping", R"(,"prompt_progress":{"total":9,"cache":1,"processed":3,"time_ms":1.5})"));
}

TEST(MessagesReplyTest, AStreamThatFailsEndsInAnError) {
  EXPECT_EQ(reply_of(true)->fail({.kind = ApiErrorKind::kServer, .message = "broke"}),
            frame("error", R"(,"error":{"type":"api_error","message":"broke"})"));
}

}  // namespace
}  // namespace kvasir::server
