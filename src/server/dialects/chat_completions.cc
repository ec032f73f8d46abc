#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialect.h"
#include "server/dialects/cache_marks.h"
#include "server/dialects/chat_messages.h"
#include "server/dialects/chat_reply.h"
#include "server/dialects/constraint_fields.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_tools.h"
#include "server/dialects/reasoning_fields.h"
#include "server/dialects/reply_calls.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

constexpr int64_t kTopLogprobsMax = 20;

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

void read_tools(const FieldReader& body, Call& call) {
  auto own = std::make_shared<OpenAiCall>(openai_call(call));
  own->tools = read_openai_tools(body, ToolShape::kNested, call);
  own->uses_functions = read_functions(body, call);
  call.own = std::move(own);
}

Result<Call> read(const Json& json, const Dialect::HeaderOf& header) {
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  Call call;
  read_common_fields(body, header, call);
  read_chat_messages(body, call);
  read_cache_options(body, call);
  read_continuation(body, call);
  read_reasoning(body, call.form);
  read_logprobs(body, call.options);
  read_tools(body, call);
  if (const auto format = body.object("response_format")) {
    read_answer_format(*format, "json_schema", call.form);
  }
  read_format(body, "response_format", call.constraint);
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
  static constexpr Dialect kDialect{.name = "chat_completions",
                                    .read = read,
                                    .reply = chat_reply,
                                    .error_body = error_body,
                                    .call_prefix = kOpenAiCallPrefix};
  return kDialect;
}

}  // namespace kvasir::server
