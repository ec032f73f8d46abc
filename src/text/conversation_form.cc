#include "text/conversation_form.h"

#include <algorithm>
#include <utility>

#include "text/deepseek_form.h"
#include "text/template_form.h"

namespace kvasir::text {
namespace {

constexpr int kDepthMax = 127;

}  // namespace

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

Result<std::vector<Tool>> told_tools(const FormOptions& options) {
  if (options.tool_choice == ToolChoice::kNone) return std::vector<Tool>();
  if (options.tool_choice != ToolChoice::kNamed) return options.tools;
  const auto named = std::ranges::find(options.tools, options.tool_name, &Tool::name);
  if (named != options.tools.end()) return std::vector{*named};
  return Error{.kind = ErrorKind::kUsage,
               .what = "there is no tool of that name",
               .field = "tool_choice",
               .expected = "the name of one of the tools",
               .found = options.tool_name};
}

Result<Json> parsed_field(const std::string& text, const std::string& field) {
  auto parsed = Json::parse(text, field, {.depth_max = kDepthMax});
  if (parsed.ok()) return *std::move(parsed);
  Error error = std::move(parsed).error();
  error.kind = ErrorKind::kUsage;
  error.field = field;
  return error;
}

std::string parameters_field(size_t index) {
  return "tools[" + std::to_string(index) + "].parameters";
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
