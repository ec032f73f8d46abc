// A ChatForm writes the messages of a conversation as the token ids that the model was trained on:
// by the chat template that came with the model, or in the form of its family.
//
// A ChatForm is immutable, refers to its engine, and any number of threads may use it while the
// engine works.
#pragma once

#include <memory>
#include <span>

#include "kvasir/conversation.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir {

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
  // said: knows what the model said as earlier turns, which are told so; may be empty.
  Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options,
                              const SaidIds& said = {}) const;

 private:
  struct State;
  explicit ChatForm(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
