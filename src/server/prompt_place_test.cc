#include "server/prompt_place.h"

#include <gtest/gtest.h>

#include <random>

namespace kvasir::server {
namespace {

using Part = PromptPlace::Part;

// A form of our own: every byte is an id, and markers are ids behind them.
constexpr int32_t kTurn = 256;
constexpr int32_t kEnd = 257;

void add(std::string_view text, std::vector<int32_t>& ids) {
  for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
}

std::optional<std::vector<int32_t>> encode(std::span<const Message> messages,
                                           const FormOptions& form) {
  std::vector<int32_t> ids;
  if (form.effort == Effort::kMax) add("Think hard. ", ids);
  for (size_t i = 0; i < messages.size(); ++i) {
    ids.push_back(kTurn);
    add(name_of(messages[i].role), ids);
    add("\n", ids);
    for (const std::string& part : messages[i].parts) add(part + "\n\n", ids);
    if (!messages[i].reasoning.empty()) add("<think>" + messages[i].reasoning + "</think>", ids);
    for (const ToolCall& call : messages[i].calls) add(call.name + "(" + call.arguments + ")", ids);
    if (i == 0 && !form.tools.empty()) add("Tools:", ids);
    for (const Tool& tool : form.tools) {
      if (i == 0) add("{\"name\": \"" + tool.name + "\", " + tool.description + "}", ids);
    }
    if (i == 0 && form.answer_format != AnswerFormat::kText) add("Say: " + form.answer_schema, ids);
    ids.push_back(kEnd);
  }
  ids.push_back(kTurn);
  add("assistant\n", ids);
  return ids;
}

std::string token_text(int32_t id) {
  return id < 256 ? std::string(1, static_cast<char>(id)) : "\1";
}

using Encode = decltype(PlacedPrompt::encode);

PromptPlace place_between(const std::vector<Message>& messages, const FormOptions& form,
                          const std::vector<Message>& others, const FormOptions& other_form,
                          const Encode& told = encode) {
  const auto ids = *told(messages, form);
  const auto other_ids = *told(others, other_form);
  return place_of(
      {.messages = messages, .form = form, .ids = ids, .encode = told, .token_text = token_text},
      same_beginning(ids, other_ids), 0);
}

// Of a form that leaves reasoning out.
std::optional<std::vector<int32_t>> told_without(std::span<const Message> all,
                                                 const FormOptions& form) {
  std::vector<Message> bare(all.begin(), all.end());
  for (Message& message : bare) message.reasoning.clear();
  return encode(bare, form);
}

std::vector<Message> conversation() {
  return {{.role = Role::kSystem, .parts = {"Be brief, be kind."}},
          {.role = Role::kUser, .parts = {"First part", "second part"}},
          {.role = Role::kAssistant,
           .parts = {"Let me look."},
           .reasoning = "It wants a look",
           .calls = {{.id = "1", .name = "look", .arguments = "{\"at\": \"sky\"}"}}},
          {.role = Role::kTool, .parts = {"blue"}, .call_id = "1"},
          {.role = Role::kUser, .parts = {"Größer, bitte"}}};
}

FormOptions with_tools() {
  return {.tools = {{.name = "look", .description = "looks at things"},
                    {.name = "hear", .description = "hears things"}}};
}

TEST(PromptPlace, NamesTheFieldAndTheCharacterThatChanged) {
  struct Case {
    void (*change)(std::vector<Message>&);
    const char* words;
  };
  const Case cases[] = {
      {[](auto& m) { m[0].parts[0][4] = 'x'; }, "message 0 (system), content, character 4"},
      {[](auto& m) { m[1].parts[1][2] = 'x'; }, "message 1 (user), content[1], character 2"},
      {[](auto& m) { m[2].reasoning[5] = 'x'; }, "message 2 (assistant), reasoning, character 5"},
      {[](auto& m) { m[2].calls[0].arguments[9] = 'x'; },
       "message 2 (assistant), tool_calls[0].arguments, character 9"},
      {[](auto& m) { m[3].parts[0] = "blub"; }, "message 3 (tool), content, character 3"},
      // Characters, not bytes.
      {[](auto& m) { m[4].parts[0] = "Größer, danke"; }, "message 4 (user), content, character 8"},
  };
  for (const Case& one : cases) {
    std::vector<Message> before = conversation();
    one.change(before);
    const PromptPlace place = place_between(conversation(), with_tools(), before, with_tools());
    EXPECT_EQ(place.words(), one.words);
  }
}

TEST(PromptPlace, KnowsReasoningThatIsNotToldFromTheAnswer) {
  std::vector<Message> messages = conversation();
  // The form tells it behind the answer, where it is looked for in vain.
  messages[2] = {.role = Role::kAssistant, .parts = {"Yes. abcdef"}, .reasoning = "Yes. abc"};
  std::vector<Message> before = messages;
  before[2].parts[0][7] = '#';
  const PromptPlace place = place_between(messages, {}, before, {}, told_without);
  EXPECT_EQ(place.words(), "message 2 (assistant), content, character 7");
}

// A form may tell results in another order than they came.
TEST(PromptPlace, FindsResultsWhereverTheyAreTold) {
  const auto told_turned = [](std::span<const Message> all, const FormOptions& form) {
    std::vector<Message> turned(all.begin(), all.end());
    if (turned.size() > 4) std::swap(turned[3], turned[4]);
    return encode(turned, form);
  };
  std::vector<Message> messages = conversation();
  messages.insert(messages.begin() + 4,
                  {.role = Role::kTool, .parts = {"red as a rose"}, .call_id = "0"});
  for (const size_t changed : {3, 4}) {
    std::vector<Message> before = messages;
    before[changed].parts[0][2] = '#';
    const PromptPlace place = place_between(messages, {}, before, {}, told_turned);
    EXPECT_EQ(place.index, static_cast<int64_t>(changed));
    EXPECT_EQ(place.character, 2);
  }
}

// A field that is not told is not looked for at length.
TEST(PromptPlace, TakesNoTimeOverLongTextsThatAreNotThere) {
  const std::string text(2'000'000, 'a');
  std::vector<Message> messages = {
      {.role = Role::kUser, .parts = {"hi"}},
      {.role = Role::kAssistant, .parts = {text + "q"}, .reasoning = text.substr(1'000'000) + "b"},
      {.role = Role::kUser, .parts = {"z"}}};
  std::vector<Message> before = messages;
  before[1].parts[0].back() = 'c';
  const PromptPlace place = place_between(messages, {}, before, {}, told_without);
  EXPECT_EQ(place.character, 2'000'000);
}

TEST(PromptPlace, TellsToolsFormsAndEffortFromTheSystemText) {
  FormOptions other = with_tools();
  other.tools[1].description = "listens";
  PromptPlace place = place_between(conversation(), with_tools(), conversation(), other);
  EXPECT_EQ(place.words(), "tool 1");
  // The tools are all new.
  place = place_between(conversation(), with_tools(), conversation(), {});
  EXPECT_EQ(place.part, Part::kTools);
  FormOptions formed = with_tools();
  formed.answer_format = AnswerFormat::kJsonSchema;
  formed.answer_schema = "{}";
  place = place_between(conversation(), formed, conversation(), with_tools());
  EXPECT_EQ(place.words(), "response_format");
  FormOptions eager = with_tools();
  eager.effort = Effort::kMax;
  place = place_between(conversation(), eager, conversation(), with_tools());
  EXPECT_EQ(place.part, Part::kSettings);
}

// Whatever field of whatever message changes at whatever place, that is the place that is told.
TEST(PromptPlace, IsRightForRandomChanges) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    std::vector<Message> messages = conversation();
    const size_t turns = random() % 12;
    for (size_t turn = 0; turn < turns; ++turn) {
      const Role role = turn % 2 == 0 ? Role::kAssistant : Role::kUser;
      // Short texts that stand in many places.
      messages.push_back({.role = role, .parts = {std::string(1 + random() % 9, 'a')}});
    }
    std::vector<Message> before = messages;
    const size_t changed = 1 + random() % (messages.size() - 1);
    std::string& text = before[changed].parts[0];
    const size_t at = random() % text.size();
    if ((static_cast<uint8_t>(text[at]) & 0x80U) != 0) continue;
    text[at] = '#';
    const PromptPlace place = place_between(messages, with_tools(), before, with_tools());
    EXPECT_EQ(place.index, static_cast<int64_t>(changed));
    EXPECT_EQ(place.part, Part::kMessage);
    if (changed <= 4) continue;
    EXPECT_EQ(place.character, static_cast<int64_t>(at)) << changed;
  }
}

TEST(PromptPlace, OfAPlainPromptIsACharacter) {
  std::vector<int32_t> ids;
  add("Größe", ids);
  EXPECT_EQ(place_in_text(ids, token_text, 6, 0).words(), "the prompt, character 4");
}

}  // namespace
}  // namespace kvasir::server
