#include "text/json_call_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "read_reply.h"
#include "text/call_forms.h"
#include "text/template_transcript.h"
#include "text/test_support.h"

namespace kvasir::text {
namespace {

using testing::ReadCall;
using testing::ReadReply;
using Calls = std::vector<ReadCall>;

ReplyForm form_of(CallForm calls) {
  ReplyForm form = template_reply_form(fixture_tokenizer());
  form.calls = calls;
  return form;
}

ReadReply read(CallForm form, const std::string& text, int64_t calls_max = 0) {
  const auto ids = fixture_tokenizer().encode(text, SpecialTokens::kMatch);
  return testing::read_reply(form_of(form), ids, false, calls_max);
}

TEST(JsonCallReader, ReadsCallsInTags) {
  const ReadReply reply =
      read(CallForm::kTagged,
           "Let me see.\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"}\\\"\"]}}\n"
           "</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>");
  EXPECT_EQ(reply.answer, "Let me see.");
  EXPECT_EQ(reply.calls, (Calls{{"f", "{\"a\": [1, \"}\\\"\"]}", true}, {"g", "{}", true}}));
}

TEST(JsonCallReader, ReadsAnAnswerThatIsACall) {
  EXPECT_EQ(read(CallForm::kBare, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}").calls,
            (Calls{{"f", "{\"a\": 1}", true}}));
  EXPECT_EQ(read(CallForm::kBare,
                 "<|python_tag|>{\"type\": \"function\", \"name\": \"f\"}; {\"name\": \"g\", "
                 "\"parameters\": {}}")
                .calls,
            (Calls{{"f", "{}", true}, {"g", "{}", true}}));
}

TEST(JsonCallReader, ReadsAListOfCalls) {
  const ReadReply reply = read(CallForm::kListed,
                               "Yes.[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": "
                               "{\"b\": 1}}}, {\"arguments\": {\"c\": 2}, \"name\": \"g\"}]");
  EXPECT_EQ(reply.answer, "Yes.");
  EXPECT_EQ(reply.calls, (Calls{{"f", "{\"a\": {\"b\": 1}}", true}, {"g", "{\"c\": 2}", true}}));
}

TEST(JsonCallReader, ReadsArgumentsBehindNames) {
  const ReadReply reply =
      read(CallForm::kNamed,
           "Yes.[TOOL_CALLS]f[ARGS]{\"a\": {\"b\": \"}\"}}[TOOL_CALLS]g[CALL_ID]123[ARGS]{}");
  EXPECT_EQ(reply.answer, "Yes.");
  EXPECT_EQ(reply.calls, (Calls{{"f", "{\"a\": {\"b\": \"}\"}}", true}, {"g", "{}", true}}));
  EXPECT_EQ(read(CallForm::kNamed, "a [TOOL_CALLS] {\"b\"").answer, "a [TOOL_CALLS] {\"b\"");
}

TEST(JsonCallReader, ArgumentsMayBeJsonInAString) {
  EXPECT_EQ(read(CallForm::kTagged,
                 R"(<tool_call>{"name": "f", "arguments": "{\"a\": \"x\\n\"}"}</tool_call>)")
                .calls,
            (Calls{{"f", R"({"a": "x\n"})", true}}));
}

TEST(JsonCallReader, EndsBehindSoManyCalls) {
  const ReadReply reply =
      read(CallForm::kListed, "[TOOL_CALLS] [{\"name\": \"f\"}, {\"name\": \"g\"}]", 1);
  EXPECT_TRUE(reply.ended);
  EXPECT_EQ(reply.calls, (Calls{{"f", "{}", true}}));
}

TEST(JsonCallReader, ACallThatIsCutOffStaysOpen) {
  EXPECT_EQ(
      read(CallForm::kTagged, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [").calls,
      (Calls{{"f", "{\"a\": [", false}}));
}

TEST(JsonCallReader, WhatIsNoCallIsText) {
  for (const std::string text : {"{\"a\": {\"name\": 1}}", "Hi.\n\n", " {\"b", "{}",
                                 "x {\"name\": \"f\"}", "<|python_tag|>f(1)"}) {
    const ReadReply reply = read(CallForm::kBare, text);
    EXPECT_EQ(reply.answer, text);
    EXPECT_TRUE(reply.calls.empty());
  }
  for (const std::string text : {"a <tool_call> b", "<tool", "\n\n<tool_call>\n{\"x\": 1}",
                                 "{\"name\": \"f\"}", "<tool_call>\n<function=f>\n"}) {
    EXPECT_EQ(read(CallForm::kTagged, text).answer, text);
  }
}

CallForm form_in(const std::string& source) {
  const auto made = ChatTemplate::parse({.text = source}, "test").value();
  ReplyForm form = template_reply_form(fixture_tokenizer());
  add_call_form(made, form);
  return form.calls;
}

TEST(CallForms, AreThoseThatTheTemplateSpells) {
  EXPECT_EQ(form_in("{{ '<tool_call>\\n{\"name\": \"' + c.name }}"), CallForm::kTagged);
  EXPECT_EQ(form_in("{{ '<tool_call>\\n<function=' + c.name }}"), CallForm::kNone);
  EXPECT_EQ(form_in("{{ '{\"name\": \"' + c.name + '\", \"parameters\": ' }}"), CallForm::kBare);
  EXPECT_EQ(form_in("{{ 'The schema is under \"parameters\": ' }}"), CallForm::kNone);
  EXPECT_EQ(form_in("{{ '[TOOL_CALLS] [' }}"), CallForm::kListed);
  EXPECT_EQ(form_in("{{ '[TOOL_CALLS]' + c.name + '[ARGS]' }}"), CallForm::kNamed);
  EXPECT_EQ(form_in("{{ '<｜DSML｜tool_calls>' }}"), CallForm::kDeepSeek);
  EXPECT_EQ(form_in("{{ '<｜DSML｜ calls>' }}"), CallForm::kDeepSeek41);
  EXPECT_EQ(form_in("{{ messages[0].content }}"), CallForm::kNone);
}

}  // namespace
}  // namespace kvasir::text
