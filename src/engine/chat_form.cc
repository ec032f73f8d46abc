#include <utility>

#include "engine/engine_state.h"
#include "kvasir/messages.h"
#include "text/conversation_form.h"

namespace kvasir {

struct ChatForm::State {
  std::unique_ptr<text::ConversationForm> form;
};

ChatForm::ChatForm(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatForm::ChatForm(ChatForm&&) noexcept = default;
ChatForm& ChatForm::operator=(ChatForm&&) noexcept = default;
ChatForm::~ChatForm() = default;

Result<ChatForm> ChatForm::create(Engine& engine) {
  const Engine::State& state = engine.state();
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state.require_tokenizer());
  KVASIR_ASSIGN_OR_RETURN(auto form,
                          text::make_conversation_form(*tokenizer, state.chat_template.get()));
  return ChatForm(std::make_unique<State>(State{std::move(form)}));
}

Result<FormedPrompt> ChatForm::encode(std::span<const Message> messages, const FormOptions& options,
                                      const SaidIds& said) const {
  return state_->form->encode(messages, options, said);
}

}  // namespace kvasir
