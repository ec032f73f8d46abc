#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

std::string body_with(std::string_view fields) {
  return R"({"messages":[{"role":"user","content":"hi"}],)" + std::string(fields) + "}";
}
Call call_with(std::string_view fields) { return good_call(messages(), body_with(fields)); }
Call call_of(std::string_view turns) {
  return good_call(messages(), R"({"messages":)" + std::string(turns) + "}");
}

struct Told {
  const char* body;
  const char* told;
};

TEST(MessagesTest, ReadsConversations) {
  const Told cases[] = {
      {R"({"messages":[{"role":"user","content":"hi"}]})", "user [hi]\n"},
      {R"({"system":"be","messages":[{"role":"user","content":"hi"}]})",
       "system [be]\nuser [hi]\n"},
      {R"({"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
           "messages":[{"role":"user","content":[{"type":"text","text":"c"},
                                                 {"type":"text","text":"d"}]}]})",
       "system [a] [b]\nuser [c] [d]\n"},
      // Turns of one role are one turn.
      {R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},
           {"role":"assistant","content":"c"},{"role":"assistant","content":"d"},
           {"role":"user","content":"e"}]})",
       "user [a] [b]\nassistant [c] [d]\nuser [e]\n"},
      // System texts in the middle stay where they are.
      {R"({"system":"a","messages":[{"role":"user","content":"b"},{"role":"system","content":"c"},
           {"role":"system","content":[{"type":"text","text":"d"}]},
           {"role":"user","content":"e"}]})",
       "system [a]\nuser [b]\nsystem [c]\nsystem [d]\nuser [e]\n"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[
           {"type":"thinking","thinking":"t","signature":"s"},
           {"type":"redacted_thinking","data":"x"},{"type":"text","text":"b"},
           {"type":"tool_use","id":"i1","name":"f","input":{"x":1,"y":"z"}},
           {"type":"tool_use","id":"i2","name":"g","input":{}}]},
           {"role":"user","content":[
           {"type":"tool_result","tool_use_id":"i1","content":"r1"},
           {"type":"tool_result","tool_use_id":"i2","is_error":true,
            "content":[{"type":"text","text":"r2"},{"type":"text","text":"r3"}]},
           {"type":"text","text":"go on"}]}]})",
       "user [a]\nassistant <t> [b] i1=f{\"x\":1,\"y\":\"z\"} i2=g{}\n"
       "tool(i1) [r1]\ntool(i2) [r2] [r3]\nuser [go on]\n"},
      {R"({"messages":[{"role":"user","content":[
           {"type":"tool_result","tool_use_id":"i"}]}]})",
       "tool(i)\n"},
      {R"({"messages":[{"role":"user","content":[
           {"type":"image","source":{"type":"url","url":"http://x"}},
           {"type":"document","source":{"type":"base64","data":"x"}},
           {"type":"document","source":{"type":"text","data":"words"}},
           {"type":"search_result","title":"t","source":"s",
            "content":[{"type":"text","text":"c"}]}]}]})",
       "user [[Unsupported Image]] [[Unsupported Document]] [words] [t\ns\nc]\n"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(told(good_call(messages(), body)), expected) << body;
  }
}

TEST(MessagesTest, TheLineThatChangesWithEveryRequestIsToldToNoModel) {
  const Told cases[] = {
      {R"({"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=0;"},
           {"type":"text","text":"be"}],"messages":[{"role":"user","content":"hi"}]})",
       "system [be]\nuser [hi]\n"},
      {R"({"system":"x-anthropic-billing-header: a","messages":[{"role":"user","content":"hi"}]})",
       "user [hi]\n"},
      {R"({"system":"x-anthropic-billing-header: a\r\n\nbe","messages":[
           {"role":"user","content":"hi"}]})",
       "system [be]\nuser [hi]\n"},
      {R"({"messages":[{"role":"user","content":"hi"},
           {"role":"system","content":"x-anthropic-billing-header: a"}]})",
       "user [hi]\n"},
  };
  for (const auto& [body, expected] : cases) {
    const Call call = good_call(messages(), body);
    EXPECT_EQ(told(call), expected) << body;
    EXPECT_EQ(call.repairs.words(), "attribution=1") << body;
  }
  const char* by_a_user = R"([{"role":"user","content":"x-anthropic-billing-header: a"}])";
  EXPECT_EQ(told(call_of(by_a_user)), "user [x-anthropic-billing-header: a]\n");
}

TEST(MessagesTest, MarksForACacheChangeNothing) {
  const Call plain = good_call(messages(), R"({"system":[{"type":"text","text":"s"}],"messages":[
      {"role":"user","content":[{"type":"text","text":"a"}]}]})");
  const Call marked = good_call(messages(), R"({"cache_control":{"type":"ephemeral"},
      "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
      "messages":[{"role":"user","content":[
      {"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]})");
  EXPECT_EQ(told(plain), told(marked));
  EXPECT_TRUE(marked.ignored.empty());
  ASSERT_EQ(marked.marks.size(), 3U);
  EXPECT_EQ(marked.marks[0].message_count, 1);
  EXPECT_EQ(marked.marks[0].seconds, 3600);
  EXPECT_EQ(marked.marks[1].message_count, 2);
  EXPECT_EQ(marked.marks[1].seconds, 300);
  EXPECT_EQ(marked.marks[2].message_count, 2);
}

TEST(MessagesTest, MarksOfToolsAreBeforeAllTurnsAndBadTimesAreTheUsualOne) {
  for (const char* ttl : {"0m", "-1h", "h", "m5", "99999999999999999999h", "5 m", ""}) {
    const Call call =
        good_call(messages(), std::string(R"({"tools":[{"name":"f","input_schema":{},)") +
                                  R"("cache_control":{"type":"ephemeral","ttl":")" + ttl +
                                  R"("}}],)" + R"("messages":[{"role":"user","content":"a"}]})");
    ASSERT_EQ(call.marks.size(), 1U) << ttl;
    EXPECT_EQ(call.marks[0].message_count, 0);
    EXPECT_EQ(call.marks[0].seconds, 300) << ttl;
  }
}

TEST(MessagesTest, AnAssistantsLastTextIsContinued) {
  EXPECT_TRUE(call_of(R"([{"role":"user","content":"a"},{"role":"assistant","content":"Once"}])")
                  .form.continues_last);
  EXPECT_FALSE(call_of(R"([{"role":"user","content":"a"}])").form.continues_last);
  EXPECT_FALSE(call_of(R"([{"role":"user","content":"a"},{"role":"assistant","content":[
      {"type":"text","text":"x"},{"type":"tool_use","id":"i","name":"f","input":{}}]}])")
                   .form.continues_last);
  EXPECT_FALSE(call_of(R"([{"role":"user","content":"a"},{"role":"assistant","content":[
      {"type":"thinking","thinking":"t","signature":""}]}])")
                   .form.continues_last);
}

TEST(MessagesTest, ReadsHowToAnswer) {
  const Call call = call_with(R"("max_tokens":7,"stop_sequences":["a","b"],"temperature":0.5,
      "top_p":0.9,"top_k":5,"stream":true,"metadata":{"user_id":"u"})");
  EXPECT_EQ(call.tokens_max, 7);
  EXPECT_EQ(call.options.stop_strings, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(call.options.sampling.temperature, 0.5);
  EXPECT_EQ(call.options.sampling.top_p, 0.9);
  EXPECT_EQ(call.options.sampling.top_k, 5);
  EXPECT_TRUE(call.streams);
  EXPECT_EQ(call.answer_count, 1);
  EXPECT_TRUE(call.ignored.empty());
  EXPECT_EQ(call_with(R"("stream":false)").tokens_max, std::nullopt);
  EXPECT_EQ(call_with(R"("stream":false)").options.sampling.temperature, 1);
}

TEST(MessagesTest, ReadsHowToThink) {
  const auto thinking = [](const char* type) {
    return call_with(R"("thinking":{"type":")" + std::string(type) + R"("})").form.thinking;
  };
  EXPECT_EQ(thinking("enabled"), Thinking::kOn);
  EXPECT_EQ(thinking("disabled"), Thinking::kOff);
  EXPECT_EQ(thinking("adaptive"), Thinking::kNotSaid);
  EXPECT_EQ(thinking("between_tools"), Thinking::kNotSaid);
  const auto effort = [](const char* word) {
    return call_with(R"("output_config":{"effort":")" + std::string(word) + R"("})").form.effort;
  };
  EXPECT_EQ(effort("low"), Effort::kLow);
  EXPECT_EQ(effort("medium"), Effort::kMedium);
  EXPECT_EQ(effort("high"), Effort::kHigh);
  EXPECT_EQ(effort("xhigh"), Effort::kVeryHigh);
  EXPECT_EQ(effort("max"), Effort::kMax);
}

TEST(MessagesTest, SaysWhatIsNotDone) {
  const struct {
    const char* fields;
    std::vector<std::string> ignored;
  } cases[] = {
      {R"("tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"auto"})", {}},
      {R"("tools":[{"type":"bash_20250124","name":"bash"}])", {"hosted_tools"}},
      {R"("tools":[],"tool_choice":{"type":"none"})", {}},
      {R"("thinking":{"type":"enabled","budget_tokens":1024})", {"thinking.budget_tokens"}},
      {R"("thinking":{"type":"adaptive","display":"omitted"})", {"thinking.display"}},
      {R"("context_management":{"edits":[]},"container":"c","mcp_servers":[{}])",
       {"mcp_servers", "context_management", "container"}},
  };
  for (const auto& [fields, ignored] : cases) EXPECT_EQ(call_with(fields).ignored, ignored);
  const Call call = call_of(R"([{"role":"user","content":[{"type":"image"},{"type":"image"},
      {"type":"document"},{"type":"x\r\ny"},{"type":"container_upload"}]}])");
  EXPECT_EQ(call.ignored, (std::vector<std::string>{"images", "documents", "blocks"}));
}

TEST(MessagesTest, RefusesByPath) {
  expect_refused(
      messages(),
      {{R"([])", "body"},
       {R"({})", "messages"},
       {R"({"messages":[]})", "messages"},
       {R"({"messages":"hi"})", "messages"},
       {R"({"messages":[1]})", "messages[0]"},
       {R"({"messages":[{"content":"a"}]})", "messages[0].role"},
       {R"({"messages":[{"role":"tool","content":"a"}]})", "messages[0].role"},
       {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
       {R"({"messages":[{"role":"user","content":1}]})", "messages[0].content"},
       {R"({"messages":[{"role":"user","content":["a"]}]})", "messages[0].content[0]"},
       {R"({"messages":[{"role":"user","content":[{"text":"a"}]}]})",
        "messages[0].content[0].type"},
       {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})",
        "messages[0].content[0].text"},
       {R"({"messages":[{"role":"user","content":[{"type":"redacted_thinking"}]}]})", "messages"},
       {R"({"messages":[{"role":"assistant","content":[
            {"type":"tool_use","id":"i","input":{}}]}]})",
        "messages[0].content[0].name"},
       {R"({"messages":[{"role":"assistant","content":[
            {"type":"tool_use","id":"i","name":"f","input":"x"}]}]})",
        "messages[0].content[0].input"},
       {R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":"x"}]}]})",
        "messages[0].content[0].tool_use_id"},
       {R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"i",
            "is_error":"yes"}]}]})",
        "messages[0].content[0].is_error"},
       {R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"i",
            "content":[{"type":"text","text":1}]}]}]})",
        "messages[0].content[0].content[0].text"},
       {R"({"system":1,"messages":[{"role":"user","content":"a"}]})", "system"},
       {R"({"system":[{"type":"text"}],"messages":[{"role":"user","content":"a"}]})",
        "system[0].text"},
       {body_with(R"("max_tokens":0)"), "max_tokens"},
       {body_with(R"("temperature":-1)"), "temperature"},
       {body_with(R"("stop_sequences":[1])"), "stop_sequences[0]"},
       {body_with(R"("n":2)"), "n"},
       {body_with(R"("stream":1)"), "stream"},
       {body_with(R"("thinking":{"type":"sometimes"})"), "thinking.type"},
       {body_with(R"("output_config":{"effort":"huge"})"), "output_config.effort"},
       {body_with(R"("output_config":{"format":{"type":"json_schema"}})"),
        "output_config.format.schema"},
       {body_with(R"("output_format":{"type":"json"})"), "output_format.type"},
       {body_with(R"("tool_choice":{"type":"any"})"), "tool_choice"},
       {body_with(R"("tool_choice":{"type":"some"})"), "tool_choice.type"},
       {body_with(R"("tool_choice":{"type":"tool","name":"f"})"), "tool_choice.name"}});
}

TEST(MessagesTest, AConversationIsKnownByItsHeader) {
  const std::string session = "s1";
  const Json body = *Json::parse(body_with(R"("max_tokens":1)"), "test");
  const auto header = [&](std::string_view name) {
    return name == "x-claude-code-session-id" ? &session : nullptr;
  };
  EXPECT_EQ(messages().read(body, header)->conversation, "s1");
}

TEST(MessagesTest, ErrorsHaveAnthropicsShape) {
  const auto body = [](const ApiError& error) { return messages().error_body(error, "r1"); };
  EXPECT_EQ(body({.kind = ApiErrorKind::kInvalidRequest, .message = "no"}),
            R"({"type":"error","error":{"type":"invalid_request_error","message":"no"},)"
            R"("request_id":"r1"})");
  EXPECT_EQ(body({.kind = ApiErrorKind::kContextLength, .tokens = 9000, .tokens_max = 4096}),
            R"({"type":"error","error":{"type":"invalid_request_error",)"
            R"("message":"prompt is too long: 9000 tokens > 4096 maximum"},"request_id":"r1"})");
  const std::pair<ApiErrorKind, const char*> kinds[] = {
      {ApiErrorKind::kAuthentication, "authentication_error"},
      {ApiErrorKind::kPermission, "permission_error"},
      {ApiErrorKind::kNotFound, "not_found_error"},
      {ApiErrorKind::kTooLarge, "request_too_large"},
      {ApiErrorKind::kBusy, "rate_limit_error"},
      {ApiErrorKind::kTimeout, "timeout_error"},
      {ApiErrorKind::kServer, "api_error"},
      {ApiErrorKind::kUnavailable, "overloaded_error"}};
  for (const auto& [kind, type] : kinds) {
    EXPECT_NE(body({.kind = kind}).find(std::string("\"type\":\"") + type + "\""),
              std::string::npos)
        << type;
  }
}

}  // namespace
}  // namespace kvasir::server
