#include "server/model_answers.h"

#include <ctime>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "server/field_reader.h"

namespace kvasir::server {
namespace {

constexpr size_t kIdsMax = size_t{16} << 20;

std::string utc_text(std::time_t when) {
  std::tm parts{};
  gmtime_r(&when, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Fields of OpenAI's and Anthropic's listings, and of those that clients of vLLM and llama.cpp look
// for.
Json model_json(const Served& served) {
  const ModelInfo& info = served.service->engine().info();
  const int64_t context = served.model.context_tokens;
  Json::Object model{{"id", served.model.name},   {"object", "model"},
                     {"type", "model"},           {"display_name", served.model.name},
                     {"created", served.since_s}, {"created_at", utc_text(served.since_s)},
                     {"owned_by", "kvasir"},      {"lifecycle", "active"}};
  if (context > 0) {
    model.emplace_back("max_model_len", context);
    model.emplace_back("max_input_tokens", context);
    model.emplace_back("max_tokens", context);
  }
  model.emplace_back("meta", Json::Object{{"n_ctx", context},
                                          {"n_ctx_train", info.context_tokens_max},
                                          {"n_vocab", info.vocab_size},
                                          {"n_embd", info.hidden_size},
                                          {"size", static_cast<int64_t>(info.weight_bytes)},
                                          {"fingerprint", served.model.fingerprint}});
  return model;
}

Result<std::vector<int32_t>> tokens_of(const Served& served, const Json& json,
                                       const FieldReader& body) {
  const Engine& engine = served.service->engine();
  // All are read, so that a field is refused whatever stands beside it.
  const std::optional<std::string> prompt = body.string("prompt");
  const std::optional<std::string> content = body.string("content");
  const std::optional<bool> adds_to_prompt = body.boolean("add_special_tokens");
  const std::optional<bool> adds_to_content = body.boolean("add_special");
  if (body.has("messages")) {
    KVASIR_ASSIGN_OR_RETURN(const Call call,
                            chat_completions().read(json, [](auto) { return nullptr; }));
    KVASIR_ASSIGN_OR_RETURN(std::vector<PreparedPrompt> prompts,
                            prepare_prompts(served, call, nullptr));
    return std::move(prompts.front().tokens);
  }
  if (!prompt && !content) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "nothing to tokenize",
                 .field = "prompt",
                 .expected = "a string, or messages"};
  }
  // llama.cpp's clients have no special tokens added unless they say so.
  const bool adds_frame = prompt ? adds_to_prompt.value_or(true) : adds_to_content.value_or(false);
  KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> ids, engine.encode(prompt ? *prompt : *content));
  if (adds_frame) return ids;
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> frame, engine.encode(""));
  ids.erase(ids.begin(), ids.begin() + std::ssize(frame));
  return ids;
}

Json ids_json(const std::vector<int32_t>& ids) {
  Json::Array array;
  array.reserve(ids.size());
  for (const int32_t id : ids) array.emplace_back(int64_t{id});
  return array;
}

}  // namespace

std::string models_body(const Served& served) {
  return Json(Json::Object{{"object", "list"},
                           {"data", Json::Array{model_json(served)}},
                           {"has_more", false},
                           {"first_id", served.model.name},
                           {"last_id", served.model.name}})
      .dump();
}

std::string model_body(const Served& served) { return model_json(served).dump(); }

Result<std::string> tokenize_body(const Served& served, const Json& body) {
  std::optional<Error> error;
  const FieldReader reader(body, "", error);
  if (error) return *error;
  Result<std::vector<int32_t>> ids = tokens_of(served, body, reader);
  if (error) return *error;
  if (!ids.ok()) return std::move(ids).error();
  return Json(Json::Object{{"count", static_cast<int64_t>(ids->size())},
                           {"max_model_len", served.model.context_tokens},
                           {"tokens", ids_json(*ids)}})
      .dump();
}

Result<std::string> detokenize_body(const Served& served, const Json& body) {
  std::optional<Error> error;
  const FieldReader reader(body, "", error);
  const Json::Array* tokens = reader.array("tokens", kIdsMax);
  if (tokens == nullptr) reader.refuse("tokens", "missing", "an array of ids");
  if (error) return *error;
  std::vector<int32_t> ids;
  for (const Json& token : *tokens) {
    const int64_t* id = token.as_integer();
    const bool fits = id != nullptr && *id >= 0 && *id <= std::numeric_limits<int32_t>::max();
    if (!fits) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "no token id",
                   .field = fmt::format("tokens[{}]", ids.size())};
    }
    ids.push_back(static_cast<int32_t>(*id));
  }
  const Engine& engine = served.service->engine();
  if (Status checked = engine.check_tokens(ids); !checked.ok()) {
    error = std::move(checked).error();
    error->field = "tokens";
    return *error;
  }
  KVASIR_ASSIGN_OR_RETURN(std::string text, engine.decode(ids));
  return Json(Json::Object{{"prompt", text}, {"content", text}}).dump();
}

}  // namespace kvasir::server
