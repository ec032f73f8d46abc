// Messages are a conversation as programs send it: system texts, questions, answers, in any order.
//
// Plain values, without anything behind them; what writes them as token ids is a ChatForm
// (messages.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kvasir {

// kLatestReminder: a note of the program that stands in no turn. A form without such a place tells
// it as it tells a system message in the middle.
enum class Role : uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool, kLatestReminder };
inline constexpr std::array<const char*, 6> kRoleNames = {
    "system", "developer", "user", "assistant", "tool", "latest_reminder"};
inline const char* name_of(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

// A ToolCall is what an assistant asked a tool for.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON
};

// A CallPiece is what became known of a tool call. For example: {0, "f", ""}, {0, "", "{\"a\": "},
// {0, "", "1}"}, {0, "", "", true}.
struct CallPiece {
  int64_t index = 0;      // of the reply's calls
  std::string name;       // of the first piece of a call, and of no other
  std::string arguments;  // bytes of a JSON object that follow those before
  bool is_over = false;
};

struct Message {
  Role role = Role::kUser;
  // Texts, one after the other; how they are joined is the form's. None: no content.
  std::vector<std::string> parts;
  std::string reasoning;        // of an assistant
  std::vector<ToolCall> calls;  // of an assistant
  std::string call_id;          // of a tool: the call that it answers
  std::string said_as;          // of an assistant: what a reply gave the client to send back
};

// Effort says how much a model is to reason before it answers. A form that knows fewer degrees
// takes the nearest; one that knows none ignores it.
enum class Effort : uint8_t { kNotSaid, kNone, kMinimal, kLow, kMedium, kHigh, kVeryHigh, kMax };

enum class Thinking : uint8_t { kNotSaid, kOn, kOff };

// A Tool is a function that the model may ask for.
struct Tool {
  std::string name;
  std::string description;
  std::string parameters;  // a JSON schema as it was sent; empty: none was
  bool is_strict = false;  // arguments are to follow the schema
  std::string field;       // where its parameters were sent, for messages
};

enum class ToolChoice : uint8_t {
  kAuto,      // the model decides
  kNone,      // it is told of no tools
  kRequired,  // it calls one at least
  kNamed,     // it calls FormOptions::tool_name
};

// What the answer is to be.
enum class AnswerFormat : uint8_t { kText, kJsonObject, kJsonSchema };

struct FormOptions {
  Thinking thinking = Thinking::kNotSaid;  // not said: as the model's makers have it
  Effort effort = Effort::kNotSaid;
  // The last message is an assistant's and is continued, instead of being answered.
  bool continues_last = false;
  // Earlier turns are told with their reasoning, where the form would leave it out. Then the
  // conversation goes on from what was computed.
  bool keeps_reasoning = false;
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;
  AnswerFormat answer_format = AnswerFormat::kText;
  std::string answer_schema;  // JSON, as it was sent
};

// SaidIds tell what a model said as earlier turns, where that is known (ReplayBook). Empty: it is
// not.
struct SaidIds {
  // Whether any turn shows what this message of an assistant does. Cheap; false: find has none.
  std::function<bool(const Message& message)> knows;
  // Returns the ids that the model said as this message. before: all ids before it.
  std::function<std::optional<std::vector<int32_t>>(std::span<const int32_t> before,
                                                    const Message& message)>
      find;
};

struct FormedPrompt {
  std::vector<int32_t> tokens;
  bool starts_in_reasoning = false;  // what the model says next
  int64_t opening_tokens = 0;        // the last ones, which open the calls that the model says next
  int64_t said_turns = 0;            // told in the ids that the model said
};

}  // namespace kvasir
