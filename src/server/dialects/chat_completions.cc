#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialect.h"
#include "server/dialects/chat_messages.h"
#include "server/dialects/chat_reply.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

constexpr int64_t kTopLogprobsMax = 20;

constexpr std::pair<std::string_view, Effort> kEfforts[] = {
    {"none", Effort::kNone},     {"minimal", Effort::kMinimal}, {"low", Effort::kLow},
    {"medium", Effort::kMedium}, {"high", Effort::kHigh},       {"xhigh", Effort::kVeryHigh},
    {"max", Effort::kMax},
};

void read_effort(const FieldReader& reader, FormOptions& form) {
  const auto word = reader.string("reasoning_effort");
  if (!word) return;
  for (const auto& [name, effort] : kEfforts) {
    if (name != *word) continue;
    form.effort = effort;
    return;
  }
  reader.refuse("reasoning_effort", "unknown degree",
                "none, minimal, low, medium, high, xhigh or max");
}

void read_switch(const FieldReader& reader, std::string_view name, FormOptions& form) {
  if (const auto is_on = reader.boolean(name)) {
    form.thinking = *is_on ? Thinking::kOn : Thinking::kOff;
  }
}

void read_thinking_type(const FieldReader& thinking, FormOptions& form) {
  const auto type = thinking.string("type");
  if (type == "enabled") {
    form.thinking = Thinking::kOn;
  } else if (type == "disabled") {
    form.thinking = Thinking::kOff;
  } else if (type && type != "adaptive" && type != "auto") {
    thinking.refuse("type", "unknown kind of thinking", "enabled, disabled or adaptive");
  }
}

// Clients know four ways to say it. Where they say two things, the variable of the template wins.
void read_reasoning(const FieldReader& body, FormOptions& form) {
  read_effort(body, form);
  if (const auto thinking = body.object("thinking")) read_thinking_type(*thinking, form);
  read_switch(body, "enable_thinking", form);
  if (const auto variables = body.object("chat_template_kwargs")) {
    read_effort(*variables, form);
    read_switch(*variables, "thinking", form);
    read_switch(*variables, "enable_thinking", form);
  }
}

void read_continuation(const FieldReader& body, Call& call) {
  if (const auto continues = body.boolean("continue_final_message")) {
    const bool has_one = !call.messages.empty() && call.messages.back().role == Role::kAssistant;
    if (*continues && !has_one) {
      body.refuse("continue_final_message", "nothing to continue",
                  "an assistant's message as the last one");
    }
    call.form.continues_last = call.form.continues_last || *continues;
  }
  if (!body.boolean("add_generation_prompt").value_or(true) && !call.form.continues_last) {
    body.refuse("add_generation_prompt", "not supported without continue_final_message");
  }
}

void read_logprobs(const FieldReader& body, GenerateOptions& options) {
  options.wants_logprobs = body.boolean("logprobs").value_or(false);
  options.top_logprob_count =
      static_cast<int>(body.integer("top_logprobs", 0, kTopLogprobsMax).value_or(0));
  if (options.top_logprob_count > 0 && !options.wants_logprobs) {
    body.refuse("top_logprobs", "asked for without logprobs", "logprobs: true");
  }
}

// Whatever else than plain text would be a promise about the text that nobody here keeps yet.
void read_response_format(const FieldReader& body) {
  const auto format = body.object("response_format");
  if (!format) return;
  const auto type = format->string("type");
  if (!type) return format->refuse("type", "missing", "a string");
  if (*type != "text") format->refuse("type", "not supported yet", "text");
}

// "none", "auto", or an object that does not make the model call a tool.
void read_tool_choice(const FieldReader& body, std::string_view name) {
  const Json* choice = body.find(name);
  if (choice == nullptr) return;
  bool is_free = false;
  if (const std::string* word = choice->as_string()) is_free = *word == "none" || *word == "auto";
  if (const Json* allowed = choice->find("allowed_tools")) {
    const Json* mode = allowed->find("mode");
    is_free = mode != nullptr && mode->as_string() != nullptr && *mode->as_string() == "auto";
  }
  if (!is_free) body.refuse(name, "tool calls cannot be demanded yet", "none or auto");
}

void read_modalities(const FieldReader& body) {
  const Json::Array* modalities = body.array("modalities", 16);
  if (modalities == nullptr) return;
  for (const Json& modality : *modalities) {
    const std::string* word = modality.as_string();
    if (word == nullptr || *word != "text") {
      return body.refuse("modalities", "not supported", "text alone");
    }
  }
}

Result<Call> read(const Json& json, const Dialect::HeaderOf& header) {
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  Call call;
  read_common_fields(body, header, call);
  read_chat_messages(body, call);
  read_continuation(body, call);
  read_reasoning(body, call.form);
  read_logprobs(body, call.options);
  read_response_format(body);
  read_tool_choice(body, "tool_choice");
  read_tool_choice(body, "function_call");
  read_modalities(body);
  const auto old_name = read_token_count(body, "max_tokens", 1);
  const auto new_name = read_token_count(body, "max_completion_tokens", 1);
  call.tokens_max = new_name ? new_name : old_name;
  return checked_call(std::move(call), std::move(error));
}

std::string error_body(const ApiError& error, std::string_view) {
  return openai_error(error, "messages").dump();
}

}  // namespace

const Dialect& chat_completions() {
  static constexpr Dialect kDialect{
      .name = "chat_completions", .read = read, .reply = chat_reply, .error_body = error_body};
  return kDialect;
}

}  // namespace kvasir::server
