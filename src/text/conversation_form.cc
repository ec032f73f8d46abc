#include "text/conversation_form.h"

#include <utility>

#include "text/deepseek_form.h"
#include "text/template_form.h"

namespace kvasir::text {

Result<std::unique_ptr<ConversationForm>> make_conversation_form(
    const Tokenizer& tokenizer, const ChatTemplate* chat_template) {
  if (chat_template != nullptr) {
    return std::unique_ptr<ConversationForm>(
        std::make_unique<TemplateForm>(*chat_template, tokenizer));
  }
  KVASIR_ASSIGN_OR_RETURN(DeepSeekForm form, DeepSeekForm::create(tokenizer));
  return std::unique_ptr<ConversationForm>(std::make_unique<DeepSeekForm>(std::move(form)));
}

Status check_conversation(std::span<const Message> messages, const FormOptions& options) {
  if (messages.empty()) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "there are no messages",
                 .field = "messages",
                 .expected = "one or more"};
  }
  if (options.continues_last && messages.back().role != Role::kAssistant) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the last message cannot be continued",
                 .field = message_field(messages.size() - 1),
                 .expected = "a message of the assistant"};
  }
  return ok_status();
}

std::string message_field(size_t index) { return "messages[" + std::to_string(index) + "]"; }

std::string joined_parts(const Message& message, std::string_view between) {
  std::string text;
  for (size_t i = 0; i < message.parts.size(); ++i) {
    if (i > 0) text += between;
    text += message.parts[i];
  }
  return text;
}

std::string reminder_text(std::string_view text) {
  return "<system-reminder>\n" + std::string(text) + "\n</system-reminder>";
}

}  // namespace kvasir::text
