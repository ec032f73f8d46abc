#include "server/dialects/openai_tools.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

std::string chat_body(std::string_view fields) {
  return R"({"messages":[{"role":"user","content":"hi"}],)" + std::string(fields) + "}";
}
std::string response_body(std::string_view fields) {
  return R"({"input":"hi",)" + std::string(fields) + "}";
}
Call chat_call(std::string_view fields) { return good_call(chat_completions(), chat_body(fields)); }
Call response_call(std::string_view fields) {
  return good_call(responses(), response_body(fields));
}

std::string names_of(const Call& call) {
  std::string names;
  for (const Tool& tool : call.form.tools) names.append(names.empty() ? "" : " ").append(tool.name);
  return names;
}

constexpr const char* kTwo = R"("tools":[{"type":"function","function":{"name":"f"}},)"
                             R"({"type":"function","function":{"name":"g"}}],)";
constexpr const char* kTwoFlat =
    R"("tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}],)";

TEST(OpenAiToolsTest, AFunctionKeepsItsSchemaAsItWasSent) {
  const char* schema =
      R"({"type":"object","required":["b"],"properties":{"b":{"type":"string"},"a":{}}})";
  const std::string members = R"("name":"get_x","description":"Gets it.","strict":true,)"
                              R"("parameters":)" +
                              std::string(schema);
  for (const Call& call :
       {chat_call(R"("tools":[{"type":"function","function":{)" + members + "}}]"),
        response_call(R"("tools":[{"type":"function",)" + members + "}]"),
        chat_call(R"("functions":[{)" + members + "}]")}) {
    ASSERT_EQ(call.form.tools.size(), 1u);
    const Tool& tool = call.form.tools.front();
    EXPECT_EQ(tool.name, "get_x");
    EXPECT_EQ(tool.description, "Gets it.");
    EXPECT_EQ(tool.parameters, schema);
    EXPECT_TRUE(tool.is_strict);
    EXPECT_EQ(call.form.tool_choice, ToolChoice::kAuto);
    EXPECT_TRUE(call.options.reads_calls);
    EXPECT_TRUE(call.ignored.empty());
  }
}

TEST(OpenAiToolsTest, WithoutToolsNoCallsAreRead) {
  EXPECT_FALSE(chat_call(R"("tools":[])").options.reads_calls);
  EXPECT_FALSE(chat_call(R"("tools":null,"functions":null)").options.reads_calls);
  const Call none = chat_call(kTwo + std::string(R"("tool_choice":"none")"));
  EXPECT_FALSE(none.options.reads_calls);
  EXPECT_EQ(none.form.tool_choice, ToolChoice::kNone);
  EXPECT_EQ(names_of(none), "f g");
}

TEST(OpenAiToolsTest, HowManyCallsMayBeMade) {
  EXPECT_EQ(chat_call(kTwo + std::string(R"("n":1)")).options.calls_max, 0);
  EXPECT_EQ(chat_call(kTwo + std::string(R"("parallel_tool_calls":true)")).options.calls_max, 0);
  EXPECT_EQ(chat_call(kTwo + std::string(R"("parallel_tool_calls":false)")).options.calls_max, 1);
  EXPECT_EQ(
      response_call(kTwoFlat + std::string(R"("parallel_tool_calls":false)")).options.calls_max, 1);
  EXPECT_EQ(chat_call(R"("functions":[{"name":"f"}])").options.calls_max, 1);
  EXPECT_EQ(chat_call(R"("parallel_tool_calls":false)").options.calls_max, 0);
}

TEST(OpenAiToolsTest, ReadsWhichToolIsToBeCalled) {
  const struct {
    const char* choice;
    ToolChoice expected;
    const char* name;
    const char* tools;
  } cases[] = {
      {R"("auto")", ToolChoice::kAuto, "", "f g"},
      {R"("required")", ToolChoice::kRequired, "", "f g"},
      {R"({"type":"function","function":{"name":"g"}})", ToolChoice::kNamed, "g", "f g"},
      {R"({"function":{"name":"g"}})", ToolChoice::kNamed, "g", "f g"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
          {"type":"function","function":{"name":"g"}},{"type":"mcp"}]}})",
       ToolChoice::kRequired, "", "g"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})", ToolChoice::kAuto,
       "", ""},
  };
  for (const auto& [choice, expected, name, tools] : cases) {
    const Call call = chat_call(kTwo + std::string(R"("tool_choice":)") + choice);
    EXPECT_EQ(call.form.tool_choice, expected) << choice;
    EXPECT_EQ(call.form.tool_name, name) << choice;
    EXPECT_EQ(names_of(call), tools) << choice;
    EXPECT_EQ(call.options.reads_calls, tools[0] != '\0') << choice;
  }
  const Call flat =
      response_call(kTwoFlat + std::string(R"("tool_choice":{"type":"function","name":"g"})"));
  EXPECT_EQ(flat.form.tool_name, "g");
  const Call allowed = response_call(
      kTwoFlat + std::string(R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[
                                {"type":"function","name":"f"}]})"));
  EXPECT_EQ(names_of(allowed), "f");
}

TEST(OpenAiToolsTest, FunctionsAreReadAsToolsWere) {
  const std::string one = R"("functions":[{"name":"f"}])";
  EXPECT_TRUE(openai_call(chat_call(one)).uses_functions);
  EXPECT_EQ(chat_call(one + R"(,"function_call":"none")").form.tool_choice, ToolChoice::kNone);
  const Call named = chat_call(one + R"(,"function_call":{"name":"f"})");
  EXPECT_EQ(named.form.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(named.form.tool_name, "f");
  const Call both = chat_call(kTwo + one);
  EXPECT_FALSE(openai_call(both).uses_functions);
  EXPECT_EQ(names_of(both), "f g");
}

TEST(OpenAiToolsTest, ACustomToolIsAFunctionOfOneText) {
  const std::string members =
      R"("name":"patch","description":"Edits.","format":{"type":"grammar","syntax":"lark",)";
  const Call flat =
      response_call(R"("tools":[{"type":"custom",)" + members + R"("definition":"start: x"}}])");
  const Call nested = chat_call(R"("tools":[{"type":"custom","custom":{)" + members +
                                R"("grammar":{"definition":"start: x"}}}}])");
  for (const Call& call : {flat, nested}) {
    ASSERT_EQ(names_of(call), "patch");
    const Tool& tool = call.form.tools.front();
    EXPECT_EQ(tool.description, "Edits.\n\nThe input follows this grammar:\nstart: x");
    const Json schema = *Json::parse(tool.parameters, "schema");
    EXPECT_EQ(schema.find("properties")->dump(), R"({"input":{"type":"string"}})");
  }
  EXPECT_TRUE(openai_call(nested).tools.at("patch").is_custom);
}

TEST(OpenAiToolsTest, ToolsOfANamespaceAreToldByBothNames) {
  const Call call = response_call(R"("tools":[
      {"type":"namespace","name":"ns","description":"d","tools":[{"type":"function","name":"f"},
       {"type":"custom","name":"c"},{"type":"web_search"}]},
      {"type":"namespace","name":"mcp__","tools":[{"type":"function","name":"f"}]}],
      "tool_choice":{"type":"function","namespace":"ns","name":"f"})");
  EXPECT_EQ(names_of(call), "ns__f ns__c mcp__f");
  EXPECT_EQ(call.form.tool_name, "ns__f");
  EXPECT_EQ(call.ignored, std::vector<std::string>{"hosted_tools"});
  // As an item of the history says it.
  const Call history = good_call(responses(), R"({"input":[
      {"type":"function_call","call_id":"c","namespace":"mcp__","name":"f","arguments":"{}"}]})");
  EXPECT_EQ(history.messages.front().calls.front().name, "mcp__f");
}

TEST(OpenAiToolsTest, ToolsOfOtherKindsAreLeftOut) {
  const Call call = response_call(R"("tools":[{"type":"web_search"},{"type":"local_shell"},
      {"type":"mcp","server_label":"x"},{"type":"new\r\n"},{"type":"function","name":"f"}],
      "tool_choice":{"type":"web_search"})");
  EXPECT_EQ(names_of(call), "f");
  EXPECT_EQ(call.form.tool_choice, ToolChoice::kAuto);
  EXPECT_EQ(call.ignored, (std::vector<std::string>{"hosted_tools", "tool_choice"}));
}

TEST(OpenAiToolsTest, ReadsWhatTheAnswerIsToBe) {
  const Call object = chat_call(R"("response_format":{"type":"json_object"})");
  EXPECT_EQ(object.form.answer_format, AnswerFormat::kJsonObject);
  EXPECT_EQ(chat_call(R"("response_format":{"type":"text"})").form.answer_format,
            AnswerFormat::kText);
  const char* schema = R"({"type":"object","properties":{"z":{},"a":{}}})";
  for (const Call& call :
       {chat_call(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":)" +
                  std::string(schema) + "}}"),
        response_call(R"("text":{"format":{"type":"json_schema","name":"n","schema":)" +
                      std::string(schema) + "}}")}) {
    EXPECT_EQ(call.form.answer_format, AnswerFormat::kJsonSchema);
    EXPECT_EQ(call.form.answer_schema, schema);
  }
}

std::string function_named(const std::string& name, const std::string& more = "") {
  return R"({"type":"function","function":{"name":")" + name + "\"" + more + "}}";
}

TEST(OpenAiToolsTest, RefusesToolsByTheirPath) {
  const std::vector<RefusedBody> tools = {
      {"7", "tools"},
      {"[7]", "tools[0]"},
      {R"([{"type":7}])", "tools[0].type"},
      {R"([{"type":"function"}])", "tools[0].function"},
      {R"([{"type":"custom"}])", "tools[0].custom"},
      {R"([{"type":"function","function":{}}])", "tools[0].function.name"},
      {"[" + function_named("") + "]", "tools[0].function.name"},
      {"[" + function_named("a b") + "]", "tools[0].function.name"},
      {"[" + function_named("\\u00e9") + "]", "tools[0].function.name"},
      {"[" + function_named(std::string(129, 'x')) + "]", "tools[0].function.name"},
      {"[" + function_named("f") + "," + function_named("f") + "]", "tools[1].function.name"},
      {"[" + function_named("f", R"(,"description":7)") + "]", "tools[0].function.description"},
      {"[" + function_named("f", R"(,"parameters":"x")") + "]", "tools[0].function.parameters"},
      {"[" + function_named("f", R"(,"strict":1)") + "]", "tools[0].function.strict"},
  };
  std::vector<RefusedBody> bodies;
  bodies.reserve(tools.size());
  for (const auto& [list, field] : tools) bodies.push_back({chat_body("\"tools\":" + list), field});
  bodies.push_back({chat_body(R"("functions":[{}])"), "functions[0].name"});
  expect_refused(chat_completions(), bodies);
  expect_refused(
      responses(),
      {{response_body(R"("tools":[{"type":"namespace","tools":[]}])"), "tools[0].name"},
       {response_body(R"("tools":[{"type":"namespace","name":"n","tools":[{"name":""}]}])"),
        "tools[0].tools[0].name"},
       {response_body(R"("tools":[{"type":"namespace","name":"n","tools":[{"name":"f"}]},
                                  {"type":"function","name":"n__f"}])"),
        "tools[1].name"}});
}

TEST(OpenAiToolsTest, RefusesChoicesThatCannotBeMade) {
  const std::pair<const char*, const char*> choices[] = {
      {R"("sometimes")", "tool_choice"},
      {"7", "tool_choice"},
      {R"({"type":"function"})", "tool_choice.function"},
      {R"({"type":"function","function":{}})", "tool_choice.function.name"},
      {R"({"type":"function","function":{"name":"h"}})", "tool_choice.function.name"},
      {R"({"type":"allowed_tools"})", "tool_choice.allowed_tools"},
      {R"({"type":"allowed_tools","allowed_tools":{}})", "tool_choice.allowed_tools.tools"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"none","tools":[]}})",
       "tool_choice.allowed_tools.mode"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}})", "tool_choice"},
  };
  std::vector<RefusedBody> bodies;
  bodies.reserve(std::size(choices) + 4);
  for (const auto& [choice, field] : choices) {
    bodies.push_back({chat_body(kTwo + std::string(R"("tool_choice":)") + choice), field});
  }
  bodies.push_back({chat_body(R"("tool_choice":"required")"), "tool_choice"});
  bodies.push_back(
      {chat_body(R"("tools":[{"type":"web_search"}],"tool_choice":"required")"), "tool_choice"});
  bodies.push_back({chat_body(R"("parallel_tool_calls":1)"), "parallel_tool_calls"});
  bodies.push_back({chat_body(R"("function_call":{"name":"f"})"), "function_call.name"});
  expect_refused(chat_completions(), bodies);
}

TEST(OpenAiToolsTest, ToolsAreBounded) {
  std::string many;
  for (size_t i = 0; i <= kToolsMax; ++i) {
    many += (i == 0 ? "" : ",") + function_named("f" + std::to_string(i));
  }
  std::string spaces;
  for (int i = 0; i < 2; ++i) {
    std::string tools;
    for (size_t t = 0; t < kToolsMax / 2 + 1; ++t) {
      tools += (t == 0 ? "" : ",") + (R"({"name":"f)" + std::to_string(t) + "\"}");
    }
    spaces += (i == 0 ? "" : ",") + (R"({"type":"namespace","name":"n)" + std::to_string(i)) +
              R"(","tools":[)" + tools + "]}";
  }
  expect_refused(responses(), {{response_body("\"tools\":[" + spaces + "]"),
                                "tools[1].tools[" + std::to_string(kToolsMax / 2 - 1) + "].name"}});
  const std::string deep = std::string(R"(,"parameters":)") + [] {
    std::string text = "{}";
    for (int i = 0; i < 50; ++i) text = R"({"a":)" + text + "}";
    return text;
  }();
  const std::string large = R"(,"parameters":{"a":")" + std::string(size_t{1} << 20, 'x') + "\"}";
  expect_refused(chat_completions(), {{chat_body("\"tools\":[" + many + "]"), "tools"},
                                      {chat_body("\"tools\":[" + function_named("f", deep) + "]"),
                                       "tools[0].function.parameters"},
                                      {chat_body("\"tools\":[" + function_named("f", large) + "]"),
                                       "tools[0].function.parameters"}});
}

}  // namespace
}  // namespace kvasir::server
