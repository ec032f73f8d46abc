#include "server/dialects/constraint_fields.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "server/dialect.h"

namespace kvasir::server {
namespace {

using Kind = Constraint::Kind;

Constraint constraint_of(const Dialect& dialect, const std::string& fields) {
  const std::string body =
      R"({"messages":[{"role":"user","content":"a"}],"input":"a",)" + fields + "}";
  const auto header = [](std::string_view) -> const std::string* { return nullptr; };
  const Result<Call> call = dialect.read(*Json::parse(body, "test"), header);
  EXPECT_TRUE(call.ok()) << fields << call.error().message();
  return call.ok() ? call->constraint : Constraint();
}

struct Case {
  std::string fields;
  Kind kind;
  std::string text;
  std::string field;
};

void check(const Dialect& dialect, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const Constraint got = constraint_of(dialect, one.fields);
    EXPECT_EQ(got.kind, one.kind) << one.fields;
    EXPECT_EQ(got.text, one.text) << one.fields;
    EXPECT_EQ(got.field, one.field) << one.fields;
  }
}

TEST(ConstraintFields, OfChatCompletions) {
  check(
      chat_completions(),
      {{R"("response_format":{"type":"text"})", Kind::kNone, "", ""},
       {R"("response_format":{"type":"json_object"})", Kind::kJsonObject, "", "response_format"},
       {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,
             "schema":{"type":"null"}}})",
        Kind::kJsonSchema, R"({"type":"null"})", "response_format.json_schema.schema"},
       {R"("response_format":{"type":"json_object","schema":{"type":"null"}})", Kind::kJsonSchema,
        R"({"type":"null"})", "response_format.schema"},
       {R"("guided_json":{"type":"null"})", Kind::kJsonSchema, R"({"type":"null"})", "guided_json"},
       {R"("guided_json":"{}")", Kind::kJsonSchema, "{}", "guided_json"},
       {R"("json_schema":{})", Kind::kJsonSchema, "{}", "json_schema"},
       {R"("guided_regex":"a+")", Kind::kRegex, "a+", "guided_regex"},
       {R"("structured_outputs":{"regex":"a+"})", Kind::kRegex, "a+", "structured_outputs.regex"},
       {R"("structured_outputs":{"json":{}})", Kind::kJsonSchema, "{}", "structured_outputs.json"},
       {R"("structured_outputs":{"json_object":true})", Kind::kJsonObject, "",
        "structured_outputs.json_object"}});
  for (const char* fields :
       {R"("guided_choice":["a","b"])", R"("structured_outputs":{"choice":["a","b"]})"}) {
    const Constraint got = constraint_of(chat_completions(), fields);
    EXPECT_EQ(got.kind, Kind::kChoice);
    EXPECT_EQ(got.texts, (std::vector<std::string>{"a", "b"}));
  }
}

TEST(ConstraintFields, OfResponsesAndMessages) {
  check(responses(),
        {{R"("text":{"format":{"type":"json_schema","name":"n","schema":{}}})", Kind::kJsonSchema,
          "{}", "text.format.schema"},
         {R"("text":{"format":{"type":"json_object"}})", Kind::kJsonObject, "", "text.format"}});
  check(messages(), {{R"("output_config":{"format":{"type":"json_schema","schema":{}}})",
                      Kind::kJsonSchema, "{}", "output_config.format.schema"},
                     {R"("output_format":{"type":"json_schema","schema":{}})", Kind::kJsonSchema,
                      "{}", "output_format.schema"}});
}

}  // namespace
}  // namespace kvasir::server
