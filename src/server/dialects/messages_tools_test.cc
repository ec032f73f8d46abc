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

constexpr const char* kTwo = R"("tools":[{"name":"f"},{"name":"g"}],"tool_choice":)";

TEST(MessagesToolsTest, ReadsTools) {
  const Call call = call_with(R"("tools":[
      {"name":"f","description":"d","strict":true,"cache_control":{"type":"ephemeral"},
       "input_schema":{"type":"object","required":[],"properties":{}}},
      {"type":"custom","name":"g","input_schema":{"type":"object"}},
      {"type":"web_search_20250305","name":"web_search"}])");
  ASSERT_EQ(call.form.tools.size(), 2u);
  EXPECT_EQ(call.form.tools[0].name, "f");
  EXPECT_EQ(call.form.tools[0].description, "d");
  EXPECT_EQ(call.form.tools[0].parameters, R"({"type":"object","required":[],"properties":{}})");
  EXPECT_TRUE(call.form.tools[0].is_strict);
  EXPECT_EQ(call.form.tools[1].name, "g");
  EXPECT_FALSE(call.form.tools[1].is_strict);
  EXPECT_TRUE(call.options.reads_calls);
  EXPECT_EQ(call.options.calls_max, 0);
  EXPECT_EQ(call.ignored, std::vector<std::string>{"hosted_tools"});
}

TEST(MessagesToolsTest, ReadsWhichToolIsToBeCalled) {
  const struct {
    const char* choice;
    ToolChoice expected;
    const char* name;
    int64_t calls_max;
  } cases[] = {
      {R"({"type":"auto"})", ToolChoice::kAuto, "", 0},
      {R"({"type":"auto","disable_parallel_tool_use":true})", ToolChoice::kAuto, "", 1},
      {R"({"type":"any","disable_parallel_tool_use":false})", ToolChoice::kRequired, "", 0},
      {R"({"type":"tool","name":"g"})", ToolChoice::kNamed, "g", 0},
      {R"({"type":"none"})", ToolChoice::kNone, "", 0},
  };
  for (const auto& [choice, expected, name, calls_max] : cases) {
    const Call call = call_with(std::string(kTwo) + choice);
    EXPECT_EQ(call.form.tool_choice, expected) << choice;
    EXPECT_EQ(call.form.tool_name, name) << choice;
    EXPECT_EQ(call.options.calls_max, calls_max) << choice;
    EXPECT_EQ(call.options.reads_calls, expected != ToolChoice::kNone) << choice;
  }
}

TEST(MessagesToolsTest, ReadsWhatTheAnswerIsToBe) {
  for (const char* fields :
       {R"("output_config":{"format":{"type":"json_schema","schema":{"z":1,"a":2}}})",
        R"("output_format":{"type":"json_schema","schema":{"z":1,"a":2}})"}) {
    const Call call = call_with(fields);
    EXPECT_EQ(call.form.answer_format, AnswerFormat::kJsonSchema);
    EXPECT_EQ(call.form.answer_schema, R"({"z":1,"a":2})");
  }
}

TEST(MessagesToolsTest, RefusesByPath) {
  expect_refused(
      messages(),
      {{body_with(R"("tools":{})"), "tools"},
       {body_with(R"("tools":["f"])"), "tools[0]"},
       {body_with(R"("tools":[{"input_schema":{}}])"), "tools[0].name"},
       {body_with(R"("tools":[{"name":"a.b"}])"), "tools[0].name"},
       {body_with(R"("tools":[{"name":"f"},{"name":"f"}])"), "tools[1].name"},
       {body_with(R"("tools":[{"name":"f","input_schema":[]}])"), "tools[0].input_schema"},
       {body_with(std::string(kTwo) + R"("auto")"), "tool_choice"},
       {body_with(std::string(kTwo) + R"({"type":"tool"})"), "tool_choice.name"},
       {body_with(std::string(kTwo) + R"({"type":"tool","name":"h"})"), "tool_choice.name"},
       {body_with(std::string(kTwo) + R"({"type":"auto","disable_parallel_tool_use":"x"})"),
        "tool_choice.disable_parallel_tool_use"}});
}

}  // namespace
}  // namespace kvasir::server
