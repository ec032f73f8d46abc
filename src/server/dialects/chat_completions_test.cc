#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kQuestion = R"("messages":[{"role":"user","content":"hi"}])";

std::string body_with(std::string_view fields) {
  return "{" + std::string(kQuestion) + "," + std::string(fields) + "}";
}
Call call_with(std::string_view fields) { return good_call(chat_completions(), body_with(fields)); }

std::vector<Message> messages_of(std::string_view messages) {
  return good_call(chat_completions(), R"({"messages":)" + std::string(messages) + "}").messages;
}

TEST(ChatCompletionsTest, WhatIsLeftOutIsAsOpenAiHasIt) {
  const Call call = good_call(chat_completions(), "{" + std::string(kQuestion) + "}");
  EXPECT_EQ(call.options.sampling.temperature, 1);
  EXPECT_EQ(call.options.sampling.top_p, 1);
  EXPECT_EQ(call.options.sampling.top_k, 0);
  EXPECT_EQ(call.options.sampling.repetition_penalty, 1);
  EXPECT_TRUE(call.options.stops_at_end_of_text);
  EXPECT_FALSE(call.options.wants_logprobs);
  EXPECT_FALSE(call.has_seed);
  EXPECT_FALSE(call.streams);
  EXPECT_EQ(call.tokens_max, std::nullopt);
  EXPECT_EQ(call.answer_count, 1);
  EXPECT_EQ(call.form.thinking, Thinking::kNotSaid);
  EXPECT_EQ(call.form.effort, Effort::kNotSaid);
  EXPECT_FALSE(call.form.continues_last);
  EXPECT_TRUE(call.ignored.empty());
  EXPECT_FALSE(openai_call(call).includes_usage);
}

TEST(ChatCompletionsTest, ReadsHowToSample) {
  const SamplingOptions sampling = call_with(R"("temperature":0.5,"top_p":0.9,"top_k":40,
      "min_p":0.1,"presence_penalty":-2,"frequency_penalty":1.5,"repetition_penalty":1.1,
      "seed":-1,"logit_bias":{"7":-100,"12":2.5,"13":null})")
                                       .options.sampling;
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_p, 0.9);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.min_p, 0.1);
  EXPECT_EQ(sampling.presence_penalty, -2);
  EXPECT_EQ(sampling.frequency_penalty, 1.5);
  EXPECT_EQ(sampling.repetition_penalty, 1.1);
  EXPECT_EQ(sampling.seed, std::numeric_limits<uint64_t>::max());
  ASSERT_EQ(sampling.logit_bias.size(), 2u);
  EXPECT_EQ(sampling.logit_bias[0].id, 7);
  EXPECT_EQ(sampling.logit_bias[0].bias, -100);
  EXPECT_EQ(sampling.logit_bias[1].id, 12);
  EXPECT_EQ(sampling.logit_bias[1].bias, 2.5);
}

TEST(ChatCompletionsTest, BordersOfSamplingMeanWhatClientsMean) {
  EXPECT_EQ(call_with(R"("top_k":-1)").options.sampling.top_k, 0);
  EXPECT_EQ(call_with(R"("top_k":0)").options.sampling.top_k, 0);
  // The sampler takes none of 0; it has to leave one token all the same.
  const double top_p = call_with(R"("top_p":0)").options.sampling.top_p;
  EXPECT_GT(top_p, 0);
  EXPECT_LT(top_p, 1e-6);
  EXPECT_TRUE(call_with(R"("seed":0)").has_seed);
  EXPECT_FALSE(call_with(R"("seed":null,"temperature":null,"stop":null,"n":null)").has_seed);
}

TEST(ChatCompletionsTest, ReadsWhereToStop) {
  EXPECT_EQ(call_with(R"("stop":"END")").options.stop_strings, std::vector<std::string>{"END"});
  EXPECT_EQ(call_with(R"("stop":["a","","b"])").options.stop_strings,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(call_with(R"("stop":"")").options.stop_strings.empty());
  EXPECT_TRUE(call_with(R"("stop":[])").options.stop_strings.empty());
  EXPECT_EQ(call_with(R"("max_tokens":5)").tokens_max, 5);
  EXPECT_EQ(call_with(R"("max_tokens":5,"max_completion_tokens":9)").tokens_max, 9);
  EXPECT_EQ(call_with(R"("max_tokens":-1)").tokens_max, std::nullopt);
  EXPECT_FALSE(call_with(R"("ignore_eos":true)").options.stops_at_end_of_text);
}

TEST(ChatCompletionsTest, ReadsWhatToSend) {
  EXPECT_EQ(call_with(R"("n":8)").answer_count, 8);
  EXPECT_TRUE(call_with(R"("stream":true)").streams);
  EXPECT_TRUE(openai_call(call_with(R"("stream":true,"stream_options":{"include_usage":true})"))
                  .includes_usage);
  const Call call = call_with(R"("logprobs":true,"top_logprobs":20)");
  EXPECT_TRUE(call.options.wants_logprobs);
  EXPECT_EQ(call.options.top_logprob_count, 20);
  EXPECT_FALSE(call_with(R"("logprobs":false,"top_logprobs":0)").options.wants_logprobs);
  EXPECT_EQ(call_with(R"("cache_salt":"pepper")").salt, "pepper");
  EXPECT_EQ(call_with(R"("prompt_cache_key":"chat 7")").conversation, "chat 7");
}

TEST(ChatCompletionsTest, AHeaderMayNameTheConversation) {
  const std::string session = "s-1";
  const auto header = [&](std::string_view name) -> const std::string* {
    return name == "x-session-id" ? &session : nullptr;
  };
  const Json plain = *Json::parse("{" + std::string(kQuestion) + "}", "test");
  EXPECT_EQ(chat_completions().read(plain, header)->conversation, "s-1");
  const Json named = *Json::parse(body_with(R"("prompt_cache_key":"k")"), "test");
  EXPECT_EQ(chat_completions().read(named, header)->conversation, "k");
}

TEST(ChatCompletionsTest, ReadsHowMuchToReason) {
  const struct {
    const char* fields;
    Effort effort;
    Thinking thinking;
  } cases[] = {
      {R"("reasoning_effort":"none")", Effort::kNone, Thinking::kNotSaid},
      {R"("reasoning_effort":"minimal")", Effort::kMinimal, Thinking::kNotSaid},
      {R"("reasoning_effort":"low")", Effort::kLow, Thinking::kNotSaid},
      {R"("reasoning_effort":"medium")", Effort::kMedium, Thinking::kNotSaid},
      {R"("reasoning_effort":"high")", Effort::kHigh, Thinking::kNotSaid},
      {R"("reasoning_effort":"xhigh")", Effort::kVeryHigh, Thinking::kNotSaid},
      {R"("reasoning_effort":"max")", Effort::kMax, Thinking::kNotSaid},
      {R"("thinking":{"type":"enabled"})", Effort::kNotSaid, Thinking::kOn},
      {R"("thinking":{"type":"disabled"})", Effort::kNotSaid, Thinking::kOff},
      {R"("thinking":{"type":"adaptive"})", Effort::kNotSaid, Thinking::kNotSaid},
      {R"("enable_thinking":false)", Effort::kNotSaid, Thinking::kOff},
      {R"("chat_template_kwargs":{"enable_thinking":true})", Effort::kNotSaid, Thinking::kOn},
      {R"("chat_template_kwargs":{"thinking":false})", Effort::kNotSaid, Thinking::kOff},
      {R"("chat_template_kwargs":{"reasoning_effort":"low","x":1})", Effort::kLow,
       Thinking::kNotSaid},
      {R"("thinking":{"type":"enabled"},"chat_template_kwargs":{"thinking":false})",
       Effort::kNotSaid, Thinking::kOff},
  };
  for (const auto& [fields, effort, thinking] : cases) {
    const Call call = call_with(fields);
    EXPECT_EQ(call.form.effort, effort) << fields;
    EXPECT_EQ(call.form.thinking, thinking) << fields;
  }
}

TEST(ChatCompletionsTest, ReadsMessagesOfAllRoles) {
  const std::vector<Message> messages = messages_of(R"([
      {"role":"system","content":"s"},
      {"role":"developer","content":"d","name":"x"},
      {"role":"user","content":"u"},
      {"role":"assistant","content":"a"},
      {"role":"tool","content":"t","tool_call_id":"c1"},
      {"role":"function","content":"f","name":"look"}])");
  const struct {
    Role role;
    const char* text;
    const char* call_id;
  } expected[] = {{Role::kSystem, "s", ""}, {Role::kDeveloper, "d", ""},
                  {Role::kUser, "u", ""},   {Role::kAssistant, "a", ""},
                  {Role::kTool, "t", "c1"}, {Role::kTool, "f", "look"}};
  ASSERT_EQ(messages.size(), std::size(expected));
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].role, expected[i].role);
    EXPECT_EQ(messages[i].parts, std::vector<std::string>{expected[i].text});
    EXPECT_EQ(messages[i].call_id, expected[i].call_id);
  }
}

TEST(ChatCompletionsTest, ReadsContentInAllForms) {
  const struct {
    const char* message;
    std::vector<std::string> parts;
  } cases[] = {
      {R"({"role":"user"})", {}},
      {R"({"role":"user","content":null})", {}},
      {R"({"role":"user","content":""})", {""}},
      {R"({"role":"user","content":[]})", {}},
      {R"({"role":"user","content":["x"]})", {"x"}},
      {R"({"role":"user","content":[{"type":"text","text":"x","cache_control":{}},
                                    {"text":"y"}]})",
       {"x", "y"}},
      {R"({"role":"assistant","content":[{"type":"refusal","refusal":"no"}]})", {"no"}},
      {R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}},
          {"type":"input_audio"},{"type":"file"},{"type":"video_url"}]})",
       {"[Unsupported Image]", "[Unsupported Audio]", "[Unsupported File]", "[Unsupported Video]"}},
  };
  for (const auto& [message, parts] : cases) {
    EXPECT_EQ(messages_of("[" + std::string(message) + "]").front().parts, parts) << message;
  }
}

TEST(ChatCompletionsTest, ReadsWhatAnAssistantSaid) {
  const std::vector<Message> messages = messages_of(R"([
      {"role":"assistant","content":null,"reasoning_content":"why","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"ls","arguments":"{\"a\": 1}"}},
        {"id":"c2","type":"function","function":{"name":"cd","arguments":{"to":"x"}}},
        {"id":"c3","type":"custom","custom":{"name":"sh","input":"pwd"}}]},
      {"role":"assistant","reasoning":"because","function_call":{"name":"f","arguments":"{}"}},
      {"role":"assistant","reasoning":{"effort":"low"}},
      {"role":"user","reasoning_content":"not mine"}])");
  EXPECT_EQ(messages[0].reasoning, "why");
  const std::vector<ToolCall>& calls = messages[0].calls;
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].id, "c1");
  EXPECT_EQ(calls[0].name, "ls");
  EXPECT_EQ(calls[0].arguments, R"({"a": 1})");
  EXPECT_EQ(calls[1].arguments, R"({"to":"x"})");
  EXPECT_EQ(calls[2].name, "sh");
  EXPECT_EQ(calls[2].arguments, R"({"input":"pwd"})");
  EXPECT_EQ(messages[1].reasoning, "because");
  ASSERT_EQ(messages[1].calls.size(), 1u);
  EXPECT_EQ(messages[1].calls[0].name, "f");
  EXPECT_EQ(messages[2].reasoning, "");
  EXPECT_EQ(messages[3].reasoning, "");
}

TEST(ChatCompletionsTest, ReadsWhatAToolReturned) {
  const std::vector<Message> messages = messages_of(R"([
      {"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"ls","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"a"},
       {"type":"text","text":"b"},{"type":"image_url"}]},
      {"role":"tool","tool_call_id":"c2"}])");
  EXPECT_TRUE(messages[0].parts.empty());
  EXPECT_EQ(messages[1].parts, (std::vector<std::string>{"a", "b", "[Unsupported Image]"}));
  EXPECT_EQ(messages[1].call_id, "c1");
  EXPECT_TRUE(messages[2].parts.empty());
}

TEST(ChatCompletionsTest, ALastMessageCanBeContinued) {
  const std::string begun = R"({"messages":[{"role":"user","content":"hi"},
                                {"role":"assistant","content":"Well,")";
  EXPECT_FALSE(good_call(chat_completions(), begun + "}]}").form.continues_last);
  EXPECT_TRUE(good_call(chat_completions(), begun + R"(,"prefix":true}]})").form.continues_last);
  EXPECT_TRUE(good_call(chat_completions(), begun + R"(}],"continue_final_message":true,
                                                     "add_generation_prompt":false})")
                  .form.continues_last);
  // Left over from an earlier request.
  EXPECT_FALSE(good_call(chat_completions(), begun + R"(,"prefix":true},{"role":"user"}]})")
                   .form.continues_last);
}

TEST(ChatCompletionsTest, SaysWhatItIgnores) {
  EXPECT_EQ(call_with(R"("tools":[{"type":"web_search"}],"tool_choice":"auto","verbosity":"low",
                         "store":false,"parallel_tool_calls":true,"whatever":{})")
                .ignored,
            (std::vector<std::string>{"verbosity", "hosted_tools"}));
  EXPECT_TRUE(call_with(R"("tools":[],"tool_choice":"none","response_format":{"type":"text"},
                           "modalities":["text"])")
                  .ignored.empty());
  EXPECT_TRUE(call_with(R"("tool_choice":{"type":"allowed_tools",
                           "allowed_tools":{"mode":"auto","tools":[]}})")
                  .ignored.empty());
  const Call call = good_call(chat_completions(), R"({"messages":[{"role":"user","content":[
      {"type":"image_url"},{"type":"image_url"},{"type":"file"}]}]})");
  EXPECT_EQ(call.ignored, (std::vector<std::string>{"images", "files"}));
}

TEST(ChatCompletionsTest, RefusesFieldsByName) {
  const std::vector<std::pair<const char*, const char*>> fields = {
      {R"("model":5)", "model"},
      {R"("temperature":-0.1)", "temperature"},
      {R"("temperature":101)", "temperature"},
      {R"("temperature":"hot")", "temperature"},
      {R"("top_p":1.5)", "top_p"},
      {R"("top_k":-2)", "top_k"},
      {R"("min_p":2)", "min_p"},
      {R"("presence_penalty":2.1)", "presence_penalty"},
      {R"("frequency_penalty":-3)", "frequency_penalty"},
      {R"("repetition_penalty":0)", "repetition_penalty"},
      {R"("logit_bias":[])", "logit_bias"},
      {R"("logit_bias":{"word":1})", "logit_bias"},
      {R"("logit_bias":{"-1":1})", "logit_bias"},
      {R"("logit_bias":{"99999999999":1})", "logit_bias"},
      {R"("logit_bias":{"1":101})", "logit_bias.1"},
      {R"("logit_bias":{"1":"x"})", "logit_bias.1"},
      {R"("seed":1.5)", "seed"},
      {R"("stop":5)", "stop"},
      {R"("stop":["a",5])", "stop[1]"},
      {R"("stop":["","","","","","","","","","","","","","","","",""])", "stop"},
      {R"("n":0)", "n"},
      {R"("n":9)", "n"},
      {R"("stream":"yes")", "stream"},
      {R"("stream_options":true)", "stream_options"},
      {R"("stream_options":{"include_usage":1})", "stream_options.include_usage"},
      {R"("max_tokens":0)", "max_tokens"},
      {R"("max_tokens":-2)", "max_tokens"},
      {R"("max_completion_tokens":"9")", "max_completion_tokens"},
      {R"("logprobs":3)", "logprobs"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs"},
      {R"("top_logprobs":1)", "top_logprobs"},
      {R"("cache_salt":1)", "cache_salt"},
      {R"("prompt_cache_key":[])", "prompt_cache_key"},
      {R"("ignore_eos":1)", "ignore_eos"},
      {R"("reasoning_effort":"much")", "reasoning_effort"},
      {R"("thinking":"on")", "thinking"},
      {R"("thinking":{"type":"on"})", "thinking.type"},
      {R"("enable_thinking":"on")", "enable_thinking"},
      {R"("chat_template_kwargs":{"thinking":1})", "chat_template_kwargs.thinking"},
      {R"("continue_final_message":true)", "continue_final_message"},
      {R"("add_generation_prompt":false)", "add_generation_prompt"},
      {R"("response_format":{})", "response_format.type"},
      {R"("response_format":{"type":"regex"})", "response_format.type"},
      {R"("response_format":{"type":"json_schema"})", "response_format.json_schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n"}})",
       "response_format.json_schema.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":[]}})",
       "response_format.json_schema.schema"},
      {R"("guided_json":[])", "guided_json"},
      {R"("guided_regex":1)", "guided_regex"},
      {R"("guided_choice":["a",1])", "guided_choice[1]"},
      {R"("structured_outputs":{"grammar":"a"})", "structured_outputs.grammar"},
      {R"("guided_regex":"a","guided_choice":["a"])", "guided_choice"},
      {R"("guided_regex":"a","response_format":{"type":"json_object"})", "response_format"},
      {R"("modalities":["text","audio"])", "modalities"},
  };
  std::vector<RefusedBody> bodies;
  bodies.reserve(fields.size() + 2);
  for (const auto& [field, name] : fields) bodies.push_back({body_with(field), name});
  const std::string long_name(1025, 'x');
  bodies.push_back({body_with(R"("cache_salt":")" + long_name + "\""), "cache_salt"});
  bodies.push_back({body_with(R"("stop":")" + std::string(4097, 'x') + "\""), "stop"});
  expect_refused(chat_completions(), bodies);
}

TEST(ChatCompletionsTest, RefusesMessagesByTheirPath) {
  const std::vector<std::pair<const char*, const char*>> messages = {
      {R"("hi")", "messages"},
      {R"([])", "messages"},
      {R"(null)", "messages"},
      {R"(["hi"])", "messages[0]"},
      {R"([{"role":"user"},{"content":"x"}])", "messages[1].role"},
      {R"([{"role":"robot","content":"x"}])", "messages[0].role"},
      {R"([{"role":5}])", "messages[0].role"},
      {R"([{"role":"user","content":5}])", "messages[0].content"},
      {R"([{"role":"user","content":{}}])", "messages[0].content"},
      {R"([{"role":"user","content":["a",5]}])", "messages[0].content[1]"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"([{"role":"user","content":[{"type":"smell"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":1}]}])", "messages[0].content[0].type"},
      {R"([{"role":"assistant","reasoning_content":1}])", "messages[0].reasoning_content"},
      {R"([{"role":"assistant","prefix":1}])", "messages[0].prefix"},
      {R"([{"role":"assistant","tool_calls":{}}])", "messages[0].tool_calls"},
      {R"([{"role":"assistant","tool_calls":[1]}])", "messages[0].tool_calls[0]"},
      {R"([{"role":"assistant","tool_calls":[{"id":"c"}]}])", "messages[0].tool_calls[0].function"},
      {R"([{"role":"assistant","tool_calls":[{"function":{}}]}])",
       "messages[0].tool_calls[0].function.name"},
      {R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":1}}]}])",
       "messages[0].tool_calls[0].function.arguments"},
      {R"([{"role":"assistant","tool_calls":[{"custom":{"name":"f","input":1}}]}])",
       "messages[0].tool_calls[0].custom.input"},
      {R"([{"role":"tool","tool_call_id":1}])", "messages[0].tool_call_id"},
  };
  std::vector<RefusedBody> bodies;
  bodies.reserve(messages.size() + 2);
  for (const auto& [text, field] : messages) {
    bodies.push_back({R"({"messages":)" + std::string(text) + "}", field});
  }
  bodies.push_back({"{}", "messages"});
  bodies.push_back({"[]", "body"});
  expect_refused(chat_completions(), bodies);
}

}  // namespace
}  // namespace kvasir::server
