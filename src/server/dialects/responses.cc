#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialect.h"
#include "server/dialects/cache_marks.h"
#include "server/dialects/constraint_fields.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_tools.h"
#include "server/dialects/reasoning_fields.h"
#include "server/dialects/reply_calls.h"
#include "server/dialects/responses_input.h"
#include "server/dialects/responses_object.h"
#include "server/dialects/responses_reply.h"
#include "server/dialects/reuse_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

constexpr size_t kIncludedMax = 64;
constexpr int64_t kTopLogprobsMax = 20;
constexpr const char* kPreviousResponse = "previous_response_id";

const Json kNull;

void read_previous(const FieldReader& body, Call& call) {
  call.previous = without_id_prefix(body.string(kPreviousResponse).value_or(""));
  call.keeps_messages = body.boolean("store").value_or(true);
}

// What refers to something that would have to be kept here.
void refuse_what_is_kept(const FieldReader& body) {
  for (const char* name : {"conversation", "prompt"}) {
    if (body.has(name)) body.refuse(name, "not supported", "the whole conversation as input");
  }
  if (body.boolean("background").value_or(false)) {
    body.refuse("background", "not supported", "false");
  }
}

bool includes(const FieldReader& body, std::string_view word) {
  const Json::Array* words = body.array("include", kIncludedMax);
  return words != nullptr && std::ranges::any_of(*words, [&](const Json& included) {
           return included.as_string() != nullptr && *included.as_string() == word;
         });
}

void read_logprobs(const FieldReader& body, GenerateOptions& options) {
  const auto count = body.integer("top_logprobs", 0, kTopLogprobsMax);
  options.wants_logprobs = includes(body, "message.output_text.logprobs");
  if (options.wants_logprobs) options.top_logprob_count = static_cast<int>(count.value_or(0));
}

void read_text(const FieldReader& body, Call& call) {
  const auto text = body.object("text");
  if (!text) return;
  if (const auto format = text->object("format")) read_answer_format(*format, "", call.form);
  read_format(*text, "format", call.constraint);
  if (text->string("verbosity")) ignore(call, "text.verbosity");
}

// The effort as it was asked for.
Json read_effort_field(const FieldReader& body, FormOptions& form) {
  read_reasoning(body, form);
  const auto reasoning = body.object("reasoning");
  if (!reasoning) return kNull;
  read_effort(*reasoning, "effort", form);
  const Json* effort = reasoning->find("effort");
  return effort == nullptr ? kNull : *effort;
}

void note_ignored(const FieldReader& body, Call& call) {
  if (body.string("truncation") == "auto") ignore(call, "truncation");
  if (body.has("context_management")) ignore(call, "context_management");
}

// Where it is a demand that nothing was done about, it is none.
Json tool_choice(const FieldReader& body, const Call& call) {
  const Json* choice = body.find("tool_choice");
  const bool is_done = std::ranges::find(call.ignored, "tool_choice") == call.ignored.end();
  return choice != nullptr && is_done ? *choice : Json("auto");
}

// Those that the model is told of.
Json::Array told_tools(const FieldReader& body) {
  Json::Array told;
  const Json* list = body.find("tools");
  if (list == nullptr || list->as_array() == nullptr) return told;
  for (const Json& tool : *list->as_array()) {
    const Json* type = tool.find("type");
    const std::string* kind = type == nullptr ? nullptr : type->as_string();
    if (kind == nullptr || is_told_kind(*kind)) told.push_back(tool);
  }
  return told;
}

Json text_format(const FieldReader& body) {
  const Json* const text = body.find("text");
  const Json* const format = text == nullptr ? nullptr : text->find("format");
  return format == nullptr || format->is_null() ? Json(Json::Object{{"type", "text"}}) : *format;
}

Json echo(const FieldReader& body, std::string_view name) {
  const Json* value = body.find(name);
  return value == nullptr ? kNull : *value;
}

// What is done, not what was asked for.
Json::Object settings_of(const FieldReader& body, const Call& call, Json effort) {
  const SamplingOptions& sampling = call.options.sampling;
  return {
      {"background", false},
      {"max_output_tokens", call.tokens_max ? Json(*call.tokens_max) : kNull},
      {"parallel_tool_calls", body.boolean("parallel_tool_calls").value_or(true)},
      {kPreviousResponse, echo(body, kPreviousResponse)},
      {"prompt_cache_key", call.conversation.empty() ? kNull : Json(call.conversation)},
      {"reasoning", Json::Object{{"effort", std::move(effort)}, {"summary", kNull}}},
      {"store", call.keeps_messages},
      {"temperature", sampling.temperature},
      {"text", Json::Object{{"format", text_format(body)}}},
      {"tool_choice", tool_choice(body, call)},
      {"top_logprobs", call.options.top_logprob_count},
      {"top_p", sampling.top_p},
      {"truncation", "disabled"},
  };
}

Result<Call> read(const Json& json, const Dialect::HeaderOf& header) {
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  Call call;
  read_common_fields(body, header, call);
  require_one_answer(body, call);
  read_previous(body, call);
  refuse_what_is_kept(body);
  read_response_input(body, call);
  read_cache_options(body, call);
  read_logprobs(body, call.options);
  read_text(body, call);
  auto own = std::make_shared<ResponsesCall>();
  own->client_tools = read_openai_tools(body, ToolShape::kFlat, call);
  own->tools = told_tools(body);
  call.tokens_max = read_token_count(body, "max_output_tokens", 1);
  Json effort = read_effort_field(body, call.form);
  note_ignored(body, call);
  body.object("metadata");
  own->settings = settings_of(body, call, std::move(effort));
  own->instructions = echo(body, "instructions");
  own->metadata = echo(body, "metadata");
  own->wants_encrypted_reasoning = includes(body, "reasoning.encrypted_content");
  call.own = std::move(own);
  return checked_call(std::move(call), std::move(error));
}

std::string error_body(const ApiError& error, std::string_view) {
  ApiError told = error;
  if (error.param == kPreviousResponse) told.code = "previous_response_not_found";
  return openai_error(told, "input").dump();
}

}  // namespace

const Dialect& responses() {
  static constexpr Dialect kDialect{.name = "responses",
                                    .read = read,
                                    .reply = responses_reply,
                                    .error_body = error_body,
                                    .call_prefix = kOpenAiCallPrefix};
  return kDialect;
}

}  // namespace kvasir::server
