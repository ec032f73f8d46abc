// Turns that are told in the ids that the model said, in both kinds of form.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "text/deepseek_form.h"
#include "text/template_form.h"
#include "text/test_support.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

int32_t marker(std::string_view text) { return bundled_tokenizer().added_token_id(text).value(); }

// The text as a model might say it: a token a byte, which no tokenizer would make of it.
Ids byte_by_byte(std::string_view text) {
  Ids ids;
  for (const char c : text) {
    const Ids one = bundled_tokenizer().encode({&c, 1}, SpecialTokens::kIgnore);
    ids.insert(ids.end(), one.begin(), one.end());
  }
  return ids;
}

Message said(Role role, std::string text) { return {.role = role, .parts = {std::move(text)}}; }

// Knows what was said as one text, behind prompts that end in `opener`, and hears what is asked.
struct Memory {
  std::string text;
  int32_t opener = 0;
  Ids ids;
  std::vector<Ids> asked = {};

  bool shows(const Message& message) const {
    return message.parts == std::vector<std::string>{text};
  }
  SaidIds source() {
    return {.knows = [this](const Message& message) { return shows(message); },
            .find = [this](std::span<const int32_t> before,
                           const Message& message) -> std::optional<std::vector<int32_t>> {
              asked.emplace_back(before.begin(), before.end());
              if (before.back() != opener || !shows(message)) return {};
              return ids;
            }};
  }
};

Ids joined(const std::vector<Ids>& parts) {
  Ids all;
  for (const Ids& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const std::vector<Message> kTurns = {said(Role::kUser, "Does it rain?"),
                                     said(Role::kAssistant, "It does."),
                                     said(Role::kUser, "And there?")};
const FormOptions kThinking{
    .thinking = Thinking::kOn, .effort = Effort::kLow, .keeps_reasoning = true};

TEST(SaidTurns, OfDeepSeeksFormAreToldWithTheirReasoning) {
  const auto form = DeepSeekForm::create(bundled_tokenizer()).value();
  const Ids first = form.encode(std::span(kTurns).first(1), kThinking)->tokens;
  ASSERT_EQ(first.back(), marker("<think>"));
  const Ids reply = joined({byte_by_byte("I look."),
                            {marker("</think>")},
                            byte_by_byte("It does."),
                            {marker("<｜end▁of▁sentence｜>")}});
  Memory memory{.text = "It does.", .opener = marker("<think>"), .ids = reply};
  const auto formed = form.encode(kTurns, kThinking, memory.source());
  ASSERT_TRUE(formed.ok());
  EXPECT_EQ(formed->said_turns, 1);
  // The next prompt goes on from what the model has computed.
  const Ids so_far = joined({first, reply});
  ASSERT_GT(formed->tokens.size(), so_far.size());
  EXPECT_TRUE(std::equal(so_far.begin(), so_far.end(), formed->tokens.begin()));
  EXPECT_EQ(memory.asked.front(), first);
  EXPECT_EQ(bundled_tokenizer().decode(std::span(formed->tokens).subspan(so_far.size())),
            "<｜User｜>And there?<｜Assistant｜><think>");
}

TEST(SaidTurns, OfDeepSeeksFormGetTheEndThatTheyDidNotSay) {
  const auto form = DeepSeekForm::create(bundled_tokenizer()).value();
  Memory memory{.text = "It does.", .opener = marker("</think>"), .ids = byte_by_byte("It does.")};
  const auto formed = form.encode(kTurns, {.thinking = Thinking::kOff}, memory.source());
  ASSERT_TRUE(formed.ok());
  EXPECT_EQ(formed->said_turns, 1);
  const Ids part = joined({{marker("<｜Assistant｜>"), marker("</think>")},
                           byte_by_byte("It does."),
                           {marker("<｜end▁of▁sentence｜>"), marker("<｜User｜>")}});
  EXPECT_NE(std::search(formed->tokens.begin(), formed->tokens.end(), part.begin(), part.end()),
            formed->tokens.end());
}

TEST(SaidTurns, OfV41AreToldBehindItsSystemMessages) {
  const auto form = DeepSeekForm::create(v41_tokenizer()).value();
  std::vector<Message> turns = kTurns;
  turns.insert(turns.begin() + 1, said(Role::kSystem, "Be brief."));
  const Ids first = form.encode(std::span(turns).first(2), kThinking)->tokens;
  const Ids reply = joined({byte_by_byte("I look."),
                            {marker("</think>")},
                            byte_by_byte("It does."),
                            {marker("<｜end▁of▁sentence｜>")}});
  Memory memory{.text = "It does.", .opener = marker("<think>"), .ids = reply};
  const auto formed = form.encode(turns, kThinking, memory.source());
  ASSERT_TRUE(formed.ok());
  EXPECT_EQ(formed->said_turns, 1);
  const Ids so_far = joined({first, reply});
  ASSERT_GT(formed->tokens.size(), so_far.size());
  EXPECT_TRUE(std::equal(so_far.begin(), so_far.end(), formed->tokens.begin()));
}

TEST(SaidTurns, WithReasoningAreRenderedWhereTheFormLeavesReasoningOut) {
  const auto form = DeepSeekForm::create(bundled_tokenizer()).value();
  FormOptions options = kThinking;
  options.keeps_reasoning = false;
  Memory memory{.text = "It does.", .opener = marker("<think>"), .ids = {1}};
  EXPECT_EQ(form.encode(kTurns, options, memory.source())->said_turns, 0);
  options.tools = {{.name = "look", .description = "", .parameters = "{}"}};
  EXPECT_EQ(form.encode(kTurns, options, memory.source())->said_turns, 1);
}

TEST(SaidTurns, AreRenderedWhereNothingIsKnown) {
  const auto form = DeepSeekForm::create(bundled_tokenizer()).value();
  Memory memory{.text = "something else", .opener = marker("<think>"), .ids = {1}};
  const auto formed = form.encode(kTurns, kThinking, memory.source());
  EXPECT_EQ(formed->said_turns, 0);
  EXPECT_EQ(formed->tokens, form.encode(kTurns, kThinking)->tokens);
}

class SaidTemplateTurns : public ::testing::Test {
 protected:
  // With a line break behind the end of a turn, as many templates have it.
  static constexpr const char* kSource =
      "{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}\n"
      "{% else %}<｜Assistant｜>{{ m.content | trim }}<｜end▁of▁sentence｜>\n{% endif %}{% endfor "
      "%}"
      "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}";

  Result<FormedPrompt> encode(std::span<const Message> messages, const SaidIds& said) {
    return form_.encode(messages, {}, said);
  }

  ChatTemplate template_ = ChatTemplate::parse({.text = kSource}, "test").value();
  TemplateForm form_{template_, bundled_tokenizer()};
  int32_t end_ = marker("<｜end▁of▁sentence｜>");
};

TEST_F(SaidTemplateTurns, GoOnFromWhatTheModelSaid) {
  const Ids first = encode(std::span(kTurns).first(1), {})->tokens;
  const Ids reply = joined({byte_by_byte(" It does. "), {end_}});
  Memory memory{.text = "It does.", .opener = first.back(), .ids = reply};
  const auto formed = encode(kTurns, memory.source());
  ASSERT_TRUE(formed.ok());
  EXPECT_EQ(formed->said_turns, 1);
  const Ids so_far = joined({first, reply});
  ASSERT_GT(formed->tokens.size(), so_far.size());
  EXPECT_TRUE(std::equal(so_far.begin(), so_far.end(), formed->tokens.begin()));
  EXPECT_EQ(bundled_tokenizer().decode(std::span(formed->tokens).subspan(so_far.size())),
            "\n<｜User｜>And there?\n<｜Assistant｜>");
  EXPECT_EQ(memory.asked.front(), first);
}

TEST_F(SaidTemplateTurns, GetTheEndThatTheyDidNotSay) {
  const Ids first = encode(std::span(kTurns).first(1), {})->tokens;
  const Ids reply = byte_by_byte("It does.");
  Memory memory{.text = "It does.", .opener = first.back(), .ids = reply};
  const auto formed = encode(kTurns, memory.source());
  EXPECT_EQ(formed->said_turns, 1);
  const Ids so_far = joined({first, reply, {end_}});
  EXPECT_TRUE(std::equal(so_far.begin(), so_far.end(), formed->tokens.begin()));
}

TEST_F(SaidTemplateTurns, AreSeveralAndNotTheOneThatIsContinued) {
  std::vector<Message> turns = kTurns;
  turns.push_back(said(Role::kAssistant, "It does."));
  turns.push_back(said(Role::kUser, "Well."));
  const Ids first = encode(std::span(kTurns).first(1), {})->tokens;
  const Ids reply = joined({byte_by_byte("It does."), {end_}});
  Memory memory{.text = "It does.", .opener = first.back(), .ids = reply};
  EXPECT_EQ(encode(turns, memory.source())->said_turns, 2);
  turns.pop_back();
  FormOptions continuing;
  continuing.continues_last = true;
  EXPECT_EQ(form_.encode(turns, continuing, memory.source())->said_turns, 1);
}

TEST_F(SaidTemplateTurns, AreRenderedWhereNothingIsKnown) {
  Memory memory{.text = "something else", .opener = 0, .ids = {1}};
  const auto formed = encode(kTurns, memory.source());
  EXPECT_EQ(formed->said_turns, 0);
  EXPECT_EQ(formed->tokens, encode(kTurns, {})->tokens);
}

}  // namespace
}  // namespace kvasir::text
