#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/dialect.h"
#include "server/dialects/completion_reply.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

constexpr size_t kPromptsMax = 128;
// A text that is continued has no place for tools.
constexpr const char* kIgnoredFields[] = {"tools", "functions"};
constexpr size_t kIdsMax = size_t{4} << 20;
constexpr int64_t kLogprobsMax = 20;
// OpenAI's; a client that left it out has an answer of that length in mind.
constexpr int64_t kTokensWithoutMax = 16;

// Null: it is none, or out of range.
std::optional<int32_t> token_id(const Json& value) {
  const int64_t* id = value.as_integer();
  const bool is_good = id != nullptr && *id >= 0 && *id <= std::numeric_limits<int32_t>::max();
  return is_good ? std::optional(static_cast<int32_t>(*id)) : std::nullopt;
}

void add_ids(const FieldReader& body, const std::string& path, const Json::Array& list,
             std::vector<Call::TextOrIds>& prompts) {
  if (list.size() > kIdsMax) {
    return body.refuse(path, "too many elements", fmt::format("at most {}", kIdsMax));
  }
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& value : list) {
    const std::optional<int32_t> id = token_id(value);
    if (!id) return body.refuse(fmt::format("{}[{}]", path, ids.size()), "no token id");
    ids.push_back(*id);
  }
  if (ids.empty()) return body.refuse(path, "empty", "at least one token id");
  prompts.emplace_back(std::move(ids));
}

void add_prompt(const FieldReader& body, const std::string& path, const Json& value,
                std::vector<Call::TextOrIds>& prompts) {
  if (const std::string* text = value.as_string()) {
    prompts.emplace_back(*text);
  } else if (const Json::Array* ids = value.as_array()) {
    add_ids(body, path, *ids, prompts);
  } else {
    body.refuse(path, "wrong type", "a string or an array of token ids");
  }
}

// A list of numbers is one prompt; of anything else, several.
void read_prompts(const FieldReader& body, std::vector<Call::TextOrIds>& prompts) {
  const Json* value = body.find("prompt");
  if (value == nullptr) return body.refuse("prompt", "missing", "a string or token ids");
  const Json::Array* list = value->as_array();
  if (list == nullptr || list->empty() || list->front().as_integer() != nullptr) {
    return add_prompt(body, "prompt", *value, prompts);
  }
  if (body.array("prompt", kPromptsMax) == nullptr) return;
  for (size_t i = 0; i < list->size() && !body.failed(); ++i) {
    add_prompt(body, fmt::format("prompt[{}]", i), (*list)[i], prompts);
  }
}

void read_echo(const FieldReader& body, Call& call) {
  call.wants_prompt_texts = body.boolean("echo").value_or(false);
  if (const auto count = body.integer("logprobs", 0, kLogprobsMax)) {
    call.options.wants_logprobs = true;
    call.options.top_logprob_count = static_cast<int>(*count);
  }
  call.wants_prompt_logprobs = call.wants_prompt_texts && call.options.wants_logprobs;
}

void refuse_what_cannot_be_done(const FieldReader& body, const Call& call) {
  if (!body.string("suffix").value_or("").empty()) {
    body.refuse("suffix", "text after the gap is not supported", "none");
  }
  const auto best_of = body.integer("best_of", 1, std::numeric_limits<int32_t>::max());
  if (best_of && *best_of != call.answer_count) {
    body.refuse("best_of", "choosing among more answers is not supported", "the same as n");
  }
}

Result<Call> read(const Json& json, const Dialect::HeaderOf& header) {
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  Call call;
  read_common_fields(body, header, call);
  read_prompts(body, call.prompts);
  if (call.wants_proof && call.prompts.size() > 1) {
    body.refuse("kvasir_proof", "not supported of several prompts", "one prompt");
  }
  read_echo(body, call);
  refuse_what_cannot_be_done(body, call);
  note_ignored(body, kIgnoredFields, call);
  call.tokens_max = read_token_count(body, "max_tokens", 0);
  if (!body.has("max_tokens")) call.tokens_max = kTokensWithoutMax;
  return checked_call(std::move(call), std::move(error));
}

std::string error_body(const ApiError& error, std::string_view) {
  return openai_error(error, "prompt").dump();
}

}  // namespace

const Dialect& completions() {
  static constexpr Dialect kDialect{
      .name = "completions", .read = read, .reply = completion_reply, .error_body = error_body};
  return kDialect;
}

}  // namespace kvasir::server
