#include "text/channel_call_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "read_reply.h"
#include "text/call_forms.h"
#include "text/call_frames.h"
#include "text/template_transcript.h"
#include "text/test_support.h"

namespace kvasir::text {
namespace {

using testing::ReadCall;
using testing::ReadReply;
using Calls = std::vector<ReadCall>;

const Tokenizer& tokenizer() {
  static const auto made = [] {
    TokenizerJson json;
    int id = 256;
    for (const char* marker : {"<|start|>", "<|channel|>", "<|message|>", "<|end|>",
                               "<|constrain|>", "<|call|>", "<|return|>"}) {
      json.added += (id > 256 ? ", " : "") + ("{\"id\": " + std::to_string(id)) +
                    ", \"content\": \"" + marker + "\", \"special\": true, " +
                    R"("single_word": false, "lstrip": false, "rstrip": false, )" +
                    R"("normalized": false})";
      ++id;
    }
    return make_tokenizer(json);
  }();
  if (!made) ADD_FAILURE() << made.error().message();
  return *made;
}

ReplyForm form_in(const std::string& source, const Tokenizer& tokenizer) {
  const auto made = ChatTemplate::parse({.text = source}, "test").value();
  ReplyForm form = template_reply_form(tokenizer);
  add_call_form(made, form);
  return form;
}

const std::string kSource = "{{ '<|start|>assistant<|channel|>final<|message|>' }}";

const ReplyForm& form() {
  static const ReplyForm made = form_in(kSource, tokenizer());
  return made;
}

std::vector<int32_t> ids_of(const std::string& text) {
  return tokenizer().encode(text, SpecialTokens::kMatch);
}

ReadReply read(const std::string& text, int64_t calls_max = 0) {
  return testing::read_reply(form(), ids_of(text), false, calls_max);
}

const std::string kThought = "<|channel|>analysis<|message|>It may rain.<|end|><|start|>assistant";
const std::string kFinal = "<|channel|>final<|message|>Bring it.<|return|>";
std::string called(const std::string& name, const std::string& arguments) {
  return "<|channel|>commentary to=functions." + name + " <|constrain|>json<|message|>" + arguments;
}

TEST(ChannelCallReader, TellsReasoningAndAnswerApart) {
  const ReadReply reply = read(kThought + kFinal + "more");
  EXPECT_EQ(reply.reasoning, "It may rain.");
  EXPECT_EQ(reply.answer, "Bring it.");
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_TRUE(reply.ended);
}

TEST(ChannelCallReader, AMessageToAToolIsACall) {
  const ReadReply reply = read(kThought + called("f", "{\"a\": {\"b\": \"}é\"}}") + "<|call|>");
  EXPECT_EQ(reply.reasoning, "It may rain.");
  EXPECT_EQ(reply.answer, "");
  EXPECT_EQ(reply.calls, (Calls{{"f", "{\"a\": {\"b\": \"}é\"}}", true}}));
  EXPECT_TRUE(reply.ended);
}

TEST(ChannelCallReader, TheToolMayStandBeforeTheChannel) {
  const std::string tool = " to=functions.f<|channel|>commentary json<|message|>{\"a\": 1}<|call|>";
  for (const std::string& text : {tool, kThought + tool}) {
    const ReadReply reply = read(text);
    EXPECT_EQ(reply.calls, (Calls{{"f", "{\"a\": 1}", true}})) << text;
    EXPECT_EQ(reply.answer, "") << text;
  }
}

TEST(ChannelCallReader, TextBeforeACallIsTheAnswers) {
  const ReadReply reply =
      read("<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant" +
           called("g", "{}") + "<|call|>");
  EXPECT_EQ(reply.answer, "Let me see.");
  EXPECT_EQ(reply.calls, (Calls{{"g", "{}", true}}));
}

TEST(ChannelCallReader, SeveralCallsAreReadUpToSoMany) {
  const std::string two = called("f", "{\"a\": 1}") + "<|end|><|start|>assistant" +
                          called("g", " {} ") + "<|end|><|start|>assistant" + kFinal;
  const ReadReply all = read(two);
  EXPECT_EQ(all.calls, (Calls{{"f", "{\"a\": 1}", true}, {"g", "{}", true}}));
  EXPECT_EQ(all.answer, "");
  const ReadReply one = read(two, 1);
  EXPECT_EQ(one.calls, (Calls{{"f", "{\"a\": 1}", true}}));
  EXPECT_TRUE(one.ended);
}

TEST(ChannelCallReader, ACallWithoutItsEndEndsWhereTheNextBegins) {
  EXPECT_EQ(read(called("f", "nothing") + "<|end|>" + called("g", "{\"a\": [") +
                 "<|start|>assistant" + called("h", "{}"))
                .calls,
            (Calls{{"f", "{}", true}, {"g", "{\"a\": [", true}, {"h", "{}", true}}));
}

bool is_beginning(const ReadReply& part, const ReadReply& whole) {
  if (part.calls.size() > whole.calls.size()) return false;
  for (size_t i = 0; i < part.calls.size(); ++i) {
    if (part.calls[i].name != whole.calls[i].name) return false;
    if (!whole.calls[i].arguments.starts_with(part.calls[i].arguments)) return false;
  }
  return whole.answer.starts_with(part.answer) && whole.reasoning.starts_with(part.reasoning);
}

TEST(ChannelCallReader, WhatIsCutOffAnywhereIsABeginning) {
  for (const std::string& text :
       {kThought + kFinal, kThought + called("f", "{\"a\": 1}") + "<|call|>",
        " to=functions.f<|channel|>commentary<|message|>{}<|call|>" + std::string()}) {
    const ReadReply whole = read(text);
    const auto ids = ids_of(text);
    for (size_t size = 0; size <= ids.size(); ++size) {
      ReplyReader reader(form(), false, make_call_reader(form(), 0));
      ReadReply part;
      for (size_t i = 0; i < size && !reader.ended(); ++i) part.add(reader.push(ids[i]));
      EXPECT_TRUE(is_beginning(part, whole)) << size << " ids of " << text;
    }
  }
  const ReadReply cut = read(called("f", "{\"a\": \"x"));
  EXPECT_EQ(cut.calls, (Calls{{"f", "{\"a\": \"x", false}}));
  EXPECT_FALSE(cut.ended);
}

// The prompt may have opened a message, or a model may not know of any.
TEST(ChannelCallReader, TextWithoutAHeadIsTheAnswers) {
  EXPECT_EQ(read("Bring it.<|return|>").answer, "Bring it.");
  EXPECT_EQ(read(" to be").answer, " to be");
  EXPECT_EQ(read(" to=").answer, " to=");
  EXPECT_EQ(read(" to=" + std::string(300, 'x') + "<|channel|>").answer.size(), 304u);
  EXPECT_EQ(read("<|message|>So.").answer, "So.");
}

TEST(ChannelCallReader, SpelledOutMarkersAreText) {
  const std::string text = called("f", "{}");
  const auto ids = tokenizer().encode(text, SpecialTokens::kIgnore);
  const ReadReply reply = testing::read_reply(form(), ids, false);
  EXPECT_EQ(reply.answer, text);
  EXPECT_TRUE(reply.calls.empty());
}

TEST(ChannelCallReader, WithoutToolsACallIsText) {
  ReplyReader reader(form(), false, nullptr);
  ReadReply reply;
  for (const int32_t id : ids_of(kThought + called("f", "{}"))) reply.add(reader.push(id));
  reply.add(reader.flush());
  EXPECT_EQ(reply.reasoning, "It may rain.");
  EXPECT_EQ(reply.answer, "{}");
  EXPECT_TRUE(reply.calls.empty());
}

TEST(ChannelCallReader, TheTemplateAndItsMarkersSayWhichFormItIs) {
  EXPECT_EQ(form().calls, CallForm::kChannels);
  EXPECT_FALSE(call_frame_of(form()).has_value());
  EXPECT_EQ(form_in(kSource, fixture_tokenizer()).calls, CallForm::kNone);
  EXPECT_FALSE(form_in("{{ messages[0].content }}", tokenizer()).channels.has_value());
}

}  // namespace
}  // namespace kvasir::text
