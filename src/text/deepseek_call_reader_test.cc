#include "text/deepseek_call_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text_file.h"
#include "read_reply.h"
#include "text/test_support.h"

namespace kvasir::text {
namespace {

using testing::ReadCall;
using testing::ReadReply;

const ReplyForm& form() {
  static const auto format = ChatFormat::create(bundled_tokenizer());
  if (!format) ADD_FAILURE() << format.error().message();
  return format->reply_form();
}

const ReplyForm& v41_form() {
  static const auto format = ChatFormat::create(v41_tokenizer());
  if (!format) ADD_FAILURE() << format.error().message();
  return format->reply_form();
}

ReadReply read(const std::string& text, bool starts_in_reasoning = false, int64_t calls_max = 0) {
  const auto ids = bundled_tokenizer().encode(text, SpecialTokens::kMatch);
  return testing::read_reply(form(), ids, starts_in_reasoning, calls_max);
}

std::string invoke(const std::string& name, const std::string& parameters = "") {
  return "<｜DSML｜invoke name=\"" + name + "\">\n" + parameters + "</｜DSML｜invoke>\n";
}
std::string parameter(const std::string& name, const std::string& value, bool is_text = true) {
  return "<｜DSML｜parameter name=\"" + name + "\" string=\"" + (is_text ? "true" : "false") +
         "\">" + value + "</｜DSML｜parameter>\n";
}
std::string block(const std::string& calls) {
  return "\n\n<｜DSML｜tool_calls>\n" + calls + "</｜DSML｜tool_calls>";
}

std::string without_newlines(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

struct Golden {
  std::vector<int32_t> ids;
  bool thinks = false;
  Json json;
};

std::vector<Golden> goldens(const std::string& file = "deepseek_v4.json") {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/calls/" + file;
  const Json cases = Json::parse(read_text_file(path).value(), path).value();
  std::vector<Golden> read;
  for (const Json& one : *cases.as_array()) {
    read.push_back({testing::ids_in(one), *one.find("thinking")->as_bool(), one});
  }
  return read;
}

// What the makers' parser reads; tools/crosscheck_calls.py wrote it. Newlines around texts are not
// compared: here they stay where they were said.
void expect_read(const std::vector<Golden>& goldens, const ReplyForm& form) {
  ASSERT_GT(goldens.size(), 40u);
  for (const Golden& one : goldens) {
    const ReadReply reply = testing::read_reply(form, one.ids, one.thinks);
    const std::string what = form.tokenizer->decode(one.ids);
    EXPECT_EQ(without_newlines(reply.reasoning), *one.json.find("reasoning")->as_string()) << what;
    EXPECT_EQ(without_newlines(reply.answer), *one.json.find("answer")->as_string()) << what;
    const Json::Array& calls = *one.json.find("calls")->as_array();
    ASSERT_EQ(reply.calls.size(), calls.size()) << what;
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(reply.calls[i].name, *calls[i].find("name")->as_string()) << what;
      EXPECT_EQ(reply.calls[i].arguments, *calls[i].find("arguments")->as_string()) << what;
    }
  }
}

TEST(DeepSeekCallReader, ReadsWhatTheMakersParserReads) { expect_read(goldens(), form()); }

TEST(DeepSeekCallReader, ReadsWhatV41sParserReads) {
  EXPECT_EQ(v41_form().calls, CallForm::kDeepSeek41);
  expect_read(goldens("deepseek_v41.json"), v41_form());
}

bool is_beginning_of(const ReadReply& part, const ReadReply& whole) {
  if (part.calls.size() > whole.calls.size()) return false;
  for (size_t i = 0; i < part.calls.size(); ++i) {
    const ReadCall& call = part.calls[i];
    if (call.name != whole.calls[i].name) return false;
    if (!whole.calls[i].arguments.starts_with(call.arguments)) return false;
    if (call.is_over && call.arguments != whole.calls[i].arguments) return false;
  }
  return part.calls.empty() || (part.answer == whole.answer && part.reasoning == whole.reasoning);
}

TEST(DeepSeekCallReader, WhatIsCutOffAnywhereIsABeginning) {
  for (const Golden& one : goldens()) {
    const ReadReply whole = testing::read_reply(form(), one.ids, one.thinks);
    // Bytes that are no character yet are told at the end alone.
    for (size_t size = 0; size <= one.ids.size(); ++size) {
      ReplyReader reader(form(), one.thinks, make_call_reader(form(), 0));
      ReadReply part;
      for (size_t i = 0; i < size && !reader.ended(); ++i) part.add(reader.push(one.ids[i]));
      EXPECT_TRUE(is_beginning_of(part, whole))
          << size << " ids of " << bundled_tokenizer().decode(one.ids);
    }
  }
}

TEST(DeepSeekCallReader, TellsNameAndArgumentsAsTheyCome) {
  const auto ids = bundled_tokenizer().encode(
      "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" "
      "string=\"true\">x",
      SpecialTokens::kMatch);
  const ReadReply reply = testing::read_reply(form(), ids, false);
  EXPECT_EQ(reply.calls, (std::vector<ReadCall>{{"f", "{\"a\": \"x", false}}));
  EXPECT_FALSE(reply.ended);
}

TEST(DeepSeekCallReader, EndsWithTheBlockOrBehindSoManyCalls) {
  const std::string two = block(invoke("f") + invoke("g", parameter("a", "1", false)));
  const ReadReply all = read("Hi." + two + "And so");
  EXPECT_TRUE(all.ended);
  EXPECT_EQ(all.answer, "Hi.");
  EXPECT_EQ(all.calls, (std::vector<ReadCall>{{"f", "{}", true}, {"g", "{\"a\": 1}", true}}));
  const ReadReply one = read("Hi." + two, false, 1);
  EXPECT_TRUE(one.ended);
  EXPECT_EQ(one.calls, (std::vector<ReadCall>{{"f", "{}", true}}));
  EXPECT_FALSE(read("Hi." + two.substr(0, two.size() - 1), false, 3).ended);
}

// The prompt may have opened the block.
TEST(DeepSeekCallReader, ABlockNeedsNoOpening) {
  EXPECT_EQ(read(invoke("f") + "</｜DSML｜tool_calls>").calls,
            (std::vector<ReadCall>{{"f", "{}", true}}));
}

TEST(DeepSeekCallReader, OfV41EndsAtAMarkerOfTheSystem) {
  const auto ids = v41_tokenizer().encode("Hi.<｜System｜>Be", SpecialTokens::kMatch);
  const ReadReply reply = testing::read_reply(v41_form(), ids, false);
  EXPECT_EQ(reply.answer, "Hi.");
  EXPECT_TRUE(reply.ended);
}

TEST(DeepSeekCallReader, ACallEndsReasoning) {
  const ReadReply reply = read("Hm.\n" + block(invoke("f", parameter("a", "</think>"))), true);
  EXPECT_EQ(reply.reasoning, "Hm.");
  EXPECT_EQ(reply.answer, "");
  EXPECT_EQ(reply.calls, (std::vector<ReadCall>{{"f", "{\"a\": \"</think>\"}", true}}));
}

TEST(DeepSeekCallReader, ACallWithoutItsEndEndsWhereTheNextBegins) {
  EXPECT_EQ(read(block("<｜DSML｜invoke name=\"f\">\n" + parameter("a", "1") +
                       "<｜DSML｜invoke name=\"g\">\n" + parameter("b", "2")))
                .calls,
            (std::vector<ReadCall>{{"f", "{\"a\": \"1\"}", true}, {"g", "{\"b\": \"2\"}", true}}));
}

TEST(DeepSeekCallReader, NamesOfParametersStayJson) {
  EXPECT_EQ(read(block(invoke("f", parameter("a\"b\\", "1")))).calls,
            (std::vector<ReadCall>{{"f", R"({"a\"b\\": "1"})", true}}));
}

TEST(DeepSeekCallReader, OtherTextIsTheAnswers) {
  for (const std::string text : {"\n\nHi.\n\n", "a < b", "<|DSML|tool_calls>", "｜DSML｜ so",
                                 "<｜DSML｜other> so", "</｜DSML｜x>", "<\n｜DSML｜tool_calls>"}) {
    const ReadReply reply = read(text);
    EXPECT_EQ(reply.answer, text);
    EXPECT_TRUE(reply.calls.empty());
    EXPECT_FALSE(reply.ended);
  }
}

TEST(DeepSeekCallReader, SpelledOutMarkersMakeNoCall) {
  const std::string text = "Hi." + block(invoke("f"));
  const auto ids = bundled_tokenizer().encode(text, SpecialTokens::kIgnore);
  const ReadReply reply = testing::read_reply(form(), ids, false);
  EXPECT_EQ(reply.answer, text);
  EXPECT_TRUE(reply.calls.empty());
}

TEST(ReplyReader, WithoutToolsThereAreNoCalls) {
  ReplyReader reader(form(), false, nullptr);
  ReadReply reply;
  for (const int32_t id :
       bundled_tokenizer().encode("Hi." + block(invoke("f")), SpecialTokens::kMatch)) {
    if (reader.ended()) break;
    reply.add(reader.push(id));
  }
  reply.add(reader.flush());
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_TRUE(reply.answer.starts_with("Hi."));
}

}  // namespace
}  // namespace kvasir::text
