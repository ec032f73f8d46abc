#include "server/dialects/openai_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/dialects/constraint_fields.h"
#include "server/dialects/reuse_fields.h"
#include "server/session_name.h"

namespace kvasir::server {
namespace {

constexpr size_t kStopsMax = 16;
constexpr size_t kStopBytesMax = 4096;
constexpr size_t kBiasesMax = 65'536;
constexpr int64_t kAnswersMax = 8;
constexpr size_t kNameBytesMax = 1024;
constexpr int64_t kTokensMax = int64_t{1} << 40;
// The nearest to "nothing but the most likely token" that the sampler takes.
constexpr double kTopPMin = 1e-9;

// Fields that would change the answer and that nothing is done about.
constexpr const char* kIgnoredFields[] = {
    "web_search_options", "verbosity",  "moderation",     "grammar",
    "guided_grammar",     "min_tokens", "stop_token_ids",
};

// Where agents say which conversation a request belongs to.
constexpr const char* kConversationHeaders[] = {kSessionHeader,       "x-session-id",
                                                "x-session-affinity", "session-id",
                                                "x-conversation-id",  "x-claude-code-session-id"};

bool is_empty_list(const Json& value) {
  return value.as_array() != nullptr && value.as_array()->empty();
}

std::optional<int32_t> token_id(std::string_view text) {
  int32_t id = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (failure != std::errc() || end != text.data() + text.size() || id < 0) return std::nullopt;
  return id;
}

void read_logit_bias(const FieldReader& body, std::vector<LogitBias>& biases) {
  const std::optional<FieldReader> map = body.object("logit_bias");
  if (!map) return;
  const Json::Object& members = *body.find("logit_bias")->as_object();
  if (members.size() > kBiasesMax) {
    return body.refuse("logit_bias", "too many elements", fmt::format("at most {}", kBiasesMax));
  }
  for (const auto& [name, value] : members) {
    const std::optional<int32_t> id = token_id(name);
    if (!id) return body.refuse("logit_bias", "a name is no token id", "token ids as names");
    // Null has no bias to give.
    if (value.is_null()) continue;
    const auto bias = map->number_of(name, value, -100, 100);
    if (!bias) return;
    biases.push_back({.id = *id, .bias = static_cast<float>(*bias)});
  }
}

// What is left out is as OpenAI documents it, not as this program's own commands have it.
void read_sampling(const FieldReader& body, SamplingOptions& sampling) {
  sampling.temperature = body.number("temperature", 0, 100).value_or(1);
  sampling.top_p = std::max(body.number("top_p", 0, 1).value_or(1), kTopPMin);
  const int64_t top_k = body.integer("top_k", -1, std::numeric_limits<int32_t>::max()).value_or(0);
  sampling.top_k = std::max(top_k, int64_t{0});
  sampling.min_p = body.number("min_p", 0, 1).value_or(0);
  sampling.presence_penalty = body.number("presence_penalty", -2, 2).value_or(0);
  sampling.frequency_penalty = body.number("frequency_penalty", -2, 2).value_or(0);
  sampling.repetition_penalty = body.number("repetition_penalty", 0, 1e6).value_or(1);
  read_logit_bias(body, sampling.logit_bias);
}

void add_stop(const FieldReader& body, const std::string& path, const Json& value,
              std::vector<std::string>& stops) {
  const std::string* text = value.as_string();
  if (text == nullptr) return body.refuse(path, "wrong type", "a string");
  if (text->size() > kStopBytesMax) {
    return body.refuse(path, "too long", fmt::format("at most {} bytes", kStopBytesMax));
  }
  // An empty one would end every reply before it begins.
  if (!text->empty()) stops.push_back(*text);
}

void read_seed(const FieldReader& body, Call& call) {
  const auto seed = body.integer("seed", std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max());
  call.has_seed = seed.has_value();
  call.options.sampling.seed = static_cast<uint64_t>(seed.value_or(0));
}

std::string read_name(const FieldReader& body, std::string_view name) {
  std::string text = body.string(name).value_or("");
  if (text.size() > kNameBytesMax) {
    body.refuse(name, "too long", fmt::format("at most {} bytes", kNameBytesMax));
  }
  return text;
}

// Empty: there is none, or none of a name's size.
std::string header_of(const Dialect::HeaderOf& header, const char* name) {
  const std::string* value = header(name);
  return value != nullptr && value->size() <= kNameBytesMax ? *value : std::string();
}

std::string conversation_header(const Dialect::HeaderOf& header) {
  for (const char* name : kConversationHeaders) {
    if (std::string value = header_of(header, name); !value.empty()) return value;
  }
  return {};
}

void read_stream(const FieldReader& body, Call& call) {
  auto own = std::make_shared<OpenAiCall>();
  call.streams = body.boolean("stream").value_or(false);
  if (const auto options = body.object("stream_options")) {
    own->includes_usage = options->boolean("include_usage").value_or(false);
  }
  // A proof stands in the last chunk.
  if (body.boolean("kvasir_proof").value_or(false)) own->includes_usage = true;
  call.own = std::move(own);
}

// It is made of one answer.
void read_proof(const FieldReader& body, Call& call) {
  call.wants_proof = body.boolean("kvasir_proof").value_or(false);
  if (call.wants_proof && call.answer_count != 1) {
    body.refuse("kvasir_proof", "not supported of several answers", "n: 1");
  }
}

}  // namespace

const OpenAiCall& openai_call(const Call& call) {
  return *static_cast<const OpenAiCall*>(call.own.get());
}

void ignore(Call& call, std::string_view word) {
  if (std::ranges::find(call.ignored, word) == call.ignored.end()) call.ignored.emplace_back(word);
}

void note_ignored(const FieldReader& body, std::span<const char* const> names, Call& call) {
  for (const char* name : names) {
    const Json* value = body.find(name);
    if (value != nullptr && !is_empty_list(*value)) ignore(call, name);
  }
}

void read_stops(const FieldReader& body, const char* name, std::vector<std::string>& stops) {
  const Json* value = body.find(name);
  if (value == nullptr) return;
  if (value->as_string() != nullptr) return add_stop(body, name, *value, stops);
  const Json::Array* list = body.array(name, kStopsMax);
  if (list == nullptr) return;
  for (size_t i = 0; i < list->size(); ++i) {
    add_stop(body, fmt::format("{}[{}]", name, i), (*list)[i], stops);
  }
}

std::optional<int64_t> read_token_count(const FieldReader& body, std::string_view name,
                                        int64_t min) {
  const Json* value = body.find(name);
  if (value != nullptr && value->as_integer() != nullptr && *value->as_integer() == -1) {
    return std::nullopt;
  }
  return body.integer(name, min, kTokensMax);
}

void read_common_fields(const FieldReader& body, const Dialect::HeaderOf& header, Call& call) {
  body.string("model");  // any name is good
  read_sampling(body, call.options.sampling);
  read_stops(body, "stop", call.options.stop_strings);
  read_seed(body, call);
  read_stream(body, call);
  call.options.stops_at_end_of_text = !body.boolean("ignore_eos").value_or(false);
  call.answer_count = static_cast<int>(body.integer("n", 1, kAnswersMax).value_or(1));
  read_guided_fields(body, call.constraint);
  call.salt = read_name(body, "cache_salt");
  call.conversation = read_name(body, "prompt_cache_key");
  if (call.conversation.empty()) call.conversation = conversation_header(header);
  call.project = header_of(header, "x-kvasir-project");
  read_comparison(body, call);
  read_proof(body, call);
  note_ignored(body, kIgnoredFields, call);
}

void require_one_answer(const FieldReader& body, const Call& call) {
  if (call.answer_count != 1) body.refuse("n", "not supported", "1");
}

Result<Call> checked_call(Call call, std::optional<Error> error) {
  if (error) return std::move(*error);
  KVASIR_RETURN_IF_ERROR(check(call.options));
  return call;
}

}  // namespace kvasir::server
