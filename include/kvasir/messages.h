// Messages are a conversation as programs send it: system texts, questions, answers, in any order.
// A ChatForm writes them as the token ids that the model was trained on: by the chat template that
// came with the model, or in the form of its family.
//
// Plain values. A ChatForm is immutable, refers to its engine, and any number of threads may use it
// while the engine works.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir {

enum class Role : uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool };

// A ToolCall is what an assistant asked a tool for.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON
};

struct Message {
  Role role = Role::kUser;
  // Texts, one after the other; how they are joined is the form's. None: no content.
  std::vector<std::string> parts;
  std::string reasoning;        // of an assistant
  std::vector<ToolCall> calls;  // of an assistant
  std::string call_id;          // of a tool: the call that it answers
};

// Effort says how much a model is to reason before it answers. A form that knows fewer degrees
// takes the nearest; one that knows none ignores it.
enum class Effort : uint8_t { kNotSaid, kNone, kMinimal, kLow, kMedium, kHigh, kVeryHigh, kMax };

enum class Thinking : uint8_t { kNotSaid, kOn, kOff };

struct FormOptions {
  Thinking thinking = Thinking::kNotSaid;  // not said: as the model's makers have it
  Effort effort = Effort::kNotSaid;
  // The last message is an assistant's and is continued, instead of being answered.
  bool continues_last = false;
};

struct FormedPrompt {
  std::vector<int32_t> tokens;
  bool starts_in_reasoning = false;  // what the model says next
};

class ChatForm {
 public:
  // Error: the model came without a chat template, and its tokenizer lacks the chat markers that
  // would do instead. The engine must outlive the form and stay where it is.
  static Result<ChatForm> create(Engine& engine);
  ChatForm(ChatForm&&) noexcept;
  ChatForm& operator=(ChatForm&&) noexcept;
  ~ChatForm();

  // What messages spell forges no marker. Errors (kUsage, `field` names the message as
  // "messages[2]"): no messages, or the model's template refuses this conversation.
  Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options) const;

 private:
  struct State;
  explicit ChatForm(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
