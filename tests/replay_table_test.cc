// Replies as models sample them, told to a client, sent back as clients do, and told to the model
// again: the next prompt is what the model had computed and something behind it. Parsed and written
// anew most of these replies would be other ids.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine_driver.h"
#include "kvasir/generation.h"
#include "kvasir/messages.h"
#include "kvasir/replay.h"

namespace kvasir {
namespace {

using Ids = std::vector<int32_t>;

constexpr const char* kEnd = "<｜end▁of▁sentence｜>";

struct Sampled {
  const char* name;
  std::string text;  // behind <think>
};

std::string call(const std::string& parameters) {
  return "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"look\">\n" + parameters +
         "</｜DSML｜invoke>\n</｜DSML｜tool_calls>";
}

std::string parameter(const std::string& name, const std::string& value, bool is_string) {
  return "<｜DSML｜parameter name=\"" + name + "\" string=\"" + (is_string ? "true" : "false") +
         "\">" + value + "</｜DSML｜parameter>\n";
}

std::string json_call(const std::string& value) { return call(parameter("a", value, false)); }

std::vector<Sampled> sampled_replies() {
  const std::string thought = "I look.</think>";
  const std::string two = parameter("b", "x", true) + parameter("a", "y", true);
  return {
      {"canonical call", thought + "Well.\n\n" + call(parameter("a", "Oslo", true))},
      {"string with quotes", thought + "\n\n" + call(parameter("a", "say \"no\"\n\tå", true))},
      {"order of names", thought + "\n\n" + call(two)},
      {"1.0", thought + "\n\n" + json_call("1.0")},
      {"no arguments", thought + "\n\n" + call("")},
      {"answer ending in a newline", thought + "It rains.\n" + kEnd},
      {"nested without blanks", thought + "\n\n" + json_call(R"({"x":[1,2],"y":{"z":true}})")},
      {"nested with blanks", thought + "\n\n" + json_call(R"({"x": [1,  2], "y": null})")},
      {"1e3", thought + "\n\n" + json_call("1e3")},
      {"beyond 64 bits", thought + "\n\n" + json_call("123456789012345678901234567890")},
      {"escapes", thought + "\n\n" + json_call(R"("\u00e5\u0062")")},
      {"string as JSON", thought + "\n\n" + json_call(R"("Oslo")")},
      {"reasoning in newlines", "\nI look.\n\n</think>It rains." + std::string(kEnd)},
      {"answer behind newlines", thought + "\n\nIt rains." + kEnd},
      {"one newline before", thought + "Well.\n" + call(parameter("a", "Oslo", true))},
      {"three newlines before", thought + "Well.\n\n\n" + call(parameter("a", "Oslo", true))},
      {"no newline before", thought + call(parameter("a", "Oslo", true))},
      {"call inside reasoning", "I look.\n\n" + call(parameter("a", "Oslo", true))},
      {"no reasoning", "</think>It rains." + std::string(kEnd)},
      {"two calls", thought + "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"look\">\n" +
                        parameter("a", "1", false) +
                        "</｜DSML｜invoke>\n<｜DSML｜invoke name=\"look\">\n" +
                        parameter("a", "2", false) + "</｜DSML｜invoke>\n</｜DSML｜tool_calls>"},
      {"cut in its text", thought + "It rai"},
  };
}

// What clients make of a message.
using Mangle = void (*)(Message& message);

void leave(Message&) {}

Json sorted(const Json& json) {
  const Json::Object* object = json.as_object();
  if (object == nullptr) return json;
  Json::Object members = *object;
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [name, value] : members) value = sorted(value);
  return members;
}

// As opencode, pi, Cline, Continue and Qwen Code do.
void compact(Message& message) {
  for (ToolCall& one : message.calls) {
    const auto json = Json::parse(one.arguments, "arguments");
    if (json.ok()) one.arguments = json->dump();
  }
}

void drop_reasoning(Message& message) {
  message.reasoning.clear();
  compact(message);
}

void change_all(Message& message) {
  message.reasoning.clear();
  message.said_as.clear();
  for (ToolCall& one : message.calls) {
    one.id = "call_mine_" + one.name;
    const auto json = Json::parse(one.arguments, "arguments");
    if (json.ok()) one.arguments = sorted(*json).dump();
  }
  // Null content, or one that was cut.
  while (!message.parts.empty() &&
         message.parts.back().find_first_not_of('\n') == std::string::npos) {
    message.parts.pop_back();
  }
}

class ReplayTable : public ::testing::Test {
 protected:
  // Has a Generation sample these ids.
  Message told(const Ids& ids) {
    GenerateOptions options;
    options.reads_calls = true;
    options.tokens_max = std::ssize(ids);
    Generation generation = Generation::create(engine_, options, ReplyKind::kReasoning).value();
    Message message{.role = Role::kAssistant};
    std::vector<float> logits(static_cast<size_t>(engine_.info().vocab_size));
    for (const int32_t id : ids) {
      EXPECT_FALSE(generation.is_done()) << "it ends with its last id";
      std::fill(logits.begin(), logits.end(), 0.0f);
      logits[static_cast<size_t>(id)] = 1;
      take(generation.step(logits, 1).value(), message);
    }
    EXPECT_TRUE(generation.is_done());
    return message;
  }

  static void take(const GenerationPiece& piece, Message& message) {
    message.reasoning += piece.reasoning;
    if (!piece.answer.empty()) message.parts.push_back(piece.answer);
    for (const CallPiece& part : piece.calls) {
      if (part.index == std::ssize(message.calls)) {
        message.calls.push_back({.id = "call_" + std::to_string(part.index)});
      }
      message.calls.back().name += part.name;
      message.calls.back().arguments += part.arguments;
    }
  }

  Engine engine_ =
      testing::open_engine({.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny"});
  ChatForm form_ = ChatForm::create(engine_).value();
};

TEST_F(ReplayTable, EveryReplyComesBackAsItWasSampled) {
  const Message question{.role = Role::kUser, .parts = {"Where does it rain?"}};
  const FormOptions options{.tools = {{.name = "look", .description = "", .parameters = "{}"}}};
  const Ids before = form_.encode({&question, 1}, options)->tokens;
  const int32_t end = engine_.encode_with_markers(kEnd)->front();
  const std::vector<Sampled> replies = sampled_replies();
  ASSERT_GE(replies.size(), 20u);
  int written_otherwise = 0;
  for (const Sampled& reply : replies) {
    const Ids ids = engine_.encode_with_markers(reply.text).value();
    const auto book = ReplayBook::open({}).value();
    const Message shown = told(ids);
    ASSERT_TRUE(
        book->add("", {.before = before, .ids = ids, .shown = shown, .names = {"name"}}).ok());
    Ids so_far = before;
    so_far.insert(so_far.end(), ids.begin(), ids.end());
    if (so_far.back() != end) so_far.push_back(end);
    for (const Mangle mangle : {&leave, &compact, &drop_reasoning, &change_all}) {
      Message sent = shown;
      sent.said_as = "name";
      mangle(sent);
      std::vector<Message> messages = {question, sent};
      for (const ToolCall& one : sent.calls) {
        messages.push_back({.role = Role::kTool, .parts = {"rain"}, .call_id = one.id});
      }
      messages.push_back({.role = Role::kUser, .parts = {"And now?"}});
      const SaidIds said{
          .knows = [&](const Message& message) { return book->knows("", message); },
          .find = [&](std::span<const int32_t> so_long,
                      const Message& message) { return book->find("", so_long, message); }};
      const auto starts = [&](const Ids& tokens) {
        return tokens.size() > so_far.size() &&
               std::equal(so_far.begin(), so_far.end(), tokens.begin());
      };
      const auto formed = form_.encode(messages, options, said);
      ASSERT_TRUE(formed.ok()) << formed.error().message();
      EXPECT_EQ(formed->said_turns, 1) << reply.name;
      EXPECT_TRUE(starts(formed->tokens)) << reply.name;
      written_otherwise += starts(form_.encode(messages, options)->tokens) ? 0 : 1;
    }
  }
  // Without what is remembered most of it would be lost.
  EXPECT_GT(written_otherwise, std::ssize(replies) * 2);
}

}  // namespace
}  // namespace kvasir
