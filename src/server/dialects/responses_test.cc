#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

std::string body_with(std::string_view fields) {
  return R"({"input":"hi",)" + std::string(fields) + "}";
}
Call call_with(std::string_view fields) { return good_call(responses(), body_with(fields)); }
Call call_of(std::string_view items) {
  return good_call(responses(), R"({"input":)" + std::string(items) + "}");
}

TEST(ResponsesTest, ReadsConversations) {
  const struct {
    const char* items;
    const char* told;
  } cases[] = {
      {R"("hi")", "user [hi]\n"},
      {R"([{"role":"developer","content":"be"},{"role":"system","content":"good"},
           {"type":"message","role":"user","content":[{"type":"input_text","text":"a"},
            {"type":"input_text","text":"b"}]}])",
       "developer [be]\nsystem [good]\nuser [a] [b]\n"},
      // What an assistant said is one turn, in however many items.
      {R"([{"role":"user","content":"a"},
           {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x",
            "content":[{"type":"reasoning_text","text":"t"}]},
           {"type":"message","role":"assistant","id":"msg_1","status":"completed",
            "content":[{"type":"output_text","text":"b","annotations":[],"logprobs":[]},
                       {"type":"refusal","refusal":"no"}]},
           {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"x\": 1}"},
           {"type":"function_call","call_id":"c2","namespace":"ns","name":"g","arguments":"{}"},
           {"type":"function_call_output","call_id":"c1","output":"r1"},
           {"type":"function_call_output","call_id":"c2",
            "output":[{"type":"input_text","text":"r2"}]},
           {"type":"reasoning","summary":[{"type":"summary_text","text":"u"}]},
           {"role":"assistant","content":"d"},{"role":"user","content":"e"}])",
       "user [a]\nassistant <t> [b] [no] c1=f{\"x\": 1} c2=ns__g{}\n"
       "tool(c1) [r1]\ntool(c2) [r2]\nassistant <u> [d]\nuser [e]\n"},
      {R"([{"type":"custom_tool_call","call_id":"c","name":"patch","input":"a\nb"},
           {"type":"custom_tool_call_output","call_id":"c","output":"ok"},
           {"type":"local_shell_call","call_id":"s","action":{"type":"exec","command":["ls"]}},
           {"type":"local_shell_call_output","id":"s","output":"{}"},
           {"type":"shell_call","call_id":"t","action":{"commands":["ls"]}},
           {"type":"shell_call_output","call_id":"t","output":[{"stdout":"x"}]}])",
       "assistant c=patch{\"input\":\"a\\nb\"}\ntool(c) [ok]\n"
       "assistant s=local_shell{\"type\":\"exec\",\"command\":[\"ls\"]}\ntool(s) [{}]\n"
       "assistant t=shell{\"commands\":[\"ls\"]}\ntool(t) [[{\"stdout\":\"x\"}]]\n"},
      {R"([{"role":"user","content":[{"type":"input_image","image_url":"http://x"},
           {"type":"input_file","file_id":"f"}]}])",
       "user [[Unsupported Image]] [[Unsupported File]]\n"},
      {R"([{"type":"reasoning","summary":[],"encrypted_content":"x"},
           {"type":"web_search_call","id":"w"},{"role":"user","content":"a"}])",
       "user [a]\n"},
  };
  for (const auto& [items, expected] : cases) EXPECT_EQ(told(call_of(items)), expected) << items;
  EXPECT_EQ(told(call_with(R"("instructions":"be")")), "system [be]\nuser [hi]\n");
}

TEST(ResponsesTest, ReadsHowToAnswer) {
  const Call call = call_with(R"("max_output_tokens":7,"temperature":0.5,"top_p":0.9,
      "reasoning":{"effort":"high","summary":"auto"},"stream":true,"prompt_cache_key":"k",
      "text":{"format":{"type":"text"}},"tool_choice":"auto","store":false,
      "previous_response_id":null,"conversation":null,"background":false)");
  EXPECT_EQ(call.tokens_max, 7);
  EXPECT_EQ(call.options.sampling.temperature, 0.5);
  EXPECT_EQ(call.options.sampling.top_p, 0.9);
  EXPECT_EQ(call.form.effort, Effort::kHigh);
  EXPECT_FALSE(call.form.continues_last);
  EXPECT_TRUE(call.streams);
  EXPECT_EQ(call.conversation, "k");
  EXPECT_EQ(call.answer_count, 1);
  EXPECT_FALSE(call.options.wants_logprobs);
  EXPECT_TRUE(call.ignored.empty());
}

TEST(ResponsesTest, LogprobsAreToldWhereTheyAreIncluded) {
  const Call call =
      call_with(R"("top_logprobs":3,"include":["message.output_text.logprobs","unknown"])");
  EXPECT_TRUE(call.options.wants_logprobs);
  EXPECT_EQ(call.options.top_logprob_count, 3);
  EXPECT_FALSE(call_with(R"("top_logprobs":3)").options.wants_logprobs);
}

TEST(ResponsesTest, SaysWhatIsNotDone) {
  const struct {
    const char* fields;
    std::vector<std::string> ignored;
  } cases[] = {
      {R"("tools":[{"type":"function","name":"f"},{"type":"web_search"},{"type":"new\r\n"}])",
       {"hosted_tools"}},
      {R"("tools":[],"tool_choice":"none")", {}},
      {R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]})", {}},
      {R"("text":{"verbosity":"low"},"truncation":"auto")", {"text.verbosity", "truncation"}},
      {R"("input":[{"type":"new\r\n"},{"role":"user","content":"a"}])", {"items"}},
  };
  for (const auto& [fields, ignored] : cases) {
    const bool has_input = std::string_view(fields).starts_with("\"input\"");
    const std::string body = has_input ? "{" + std::string(fields) + "}" : body_with(fields);
    EXPECT_EQ(good_call(responses(), body).ignored, ignored) << fields;
  }
}

TEST(ResponsesTest, RefusesByPath) {
  expect_refused(
      responses(),
      {{R"(1)", "body"},
       {R"({})", "input"},
       {R"({"input":1})", "input"},
       {R"({"input":[]})", "input"},
       {R"({"input":["a"]})", "input[0]"},
       {R"({"input":[{"type":"web_search_call"}]})", "input"},
       {R"({"input":[{"content":"a"}]})", "input[0].role"},
       {R"({"input":[{"role":"tool","content":"a"}]})", "input[0].role"},
       {R"({"input":[{"role":"user","content":[{"type":"new"}]}]})", "input[0].content[0].type"},
       {R"({"input":[{"type":"item_reference","id":"msg_1"}]})", "input[0].type"},
       {R"({"input":[{"type":"function_call","call_id":"c","arguments":"{}"}]})", "input[0].name"},
       {R"({"input":[{"type":"reasoning","content":["t"]}]})", "input[0].content[0]"},
       {body_with(R"("instructions":1)"), "instructions"},
       {body_with(R"("max_output_tokens":0)"), "max_output_tokens"},
       {body_with(R"("n":2)"), "n"},
       {body_with(R"("top_logprobs":21)"), "top_logprobs"},
       {body_with(R"("include":"x")"), "include"},
       {body_with(R"("metadata":"x")"), "metadata"},
       {body_with(R"("reasoning":{"effort":"huge"})"), "reasoning.effort"},
       {body_with(R"("text":{"format":{"type":"json_schema"}})"), "text.format.schema"},
       {body_with(R"("text":{"format":{"type":"grammar"}})"), "text.format.type"},
       {body_with(R"("tool_choice":"required")"), "tool_choice"},
       {body_with(R"("tool_choice":{"type":"function","name":"f"})"), "tool_choice.name"},
       {body_with(R"("tool_choice":{"type":"allowed_tools","mode":"required"})"),
        "tool_choice.tools"},
       {body_with(R"("previous_response_id":1)"), "previous_response_id"},
       {body_with(R"("conversation":"conv_1")"), "conversation"},
       {body_with(R"("prompt":{"id":"p"})"), "prompt"},
       {body_with(R"("background":true)"), "background"}});
}

TEST(ResponsesTest, ReadsWhatItGoesOnFromAndWhetherItIsKept) {
  const Call first = call_with(R"("instructions":"be","previous_response_id":null)");
  EXPECT_EQ(first.previous, "");
  EXPECT_EQ(first.leads, 1);
  EXPECT_TRUE(first.keeps_messages);
  const Call second = call_with(R"("store":false,"previous_response_id":"resp_00ff")");
  EXPECT_EQ(second.previous, "00ff");
  EXPECT_EQ(second.leads, 0);
  EXPECT_FALSE(second.keeps_messages);
}

TEST(ResponsesTest, ErrorsHaveOpenAisShape) {
  EXPECT_EQ(responses().error_body({.kind = ApiErrorKind::kInvalidRequest,
                                    .message = "none",
                                    .param = "previous_response_id"},
                                   "r"),
            R"({"error":{"message":"none","type":"invalid_request_error",)"
            R"("param":"previous_response_id","code":"previous_response_not_found"}})");
  EXPECT_EQ(responses().error_body(
                {.kind = ApiErrorKind::kContextLength, .tokens = 9000, .tokens_max = 4096}, "r"),
            R"({"error":{"message":"This model's maximum context length is 4096 tokens. However,)"
            R"( your input resulted in 9000 tokens.","type":"invalid_request_error",)"
            R"("param":"input","code":"context_length_exceeded"}})");
}

}  // namespace
}  // namespace kvasir::server
