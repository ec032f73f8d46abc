#include "bench/serve/answer.h"

#include <algorithm>

namespace kvasir::bench {
namespace {

constexpr JsonLimits kLimits{.text_bytes_max = 4 << 20, .value_count_max = 1 << 16};

int64_t count_of(const Json* object, std::string_view name, int64_t otherwise) {
  const Json* value = object == nullptr ? nullptr : object->find(name);
  const int64_t* count = value == nullptr ? nullptr : value->as_integer();
  return count == nullptr || *count < 0 ? otherwise : *count;
}

std::string text_of(const Json* object, std::string_view name) {
  const Json* value = object == nullptr ? nullptr : object->find(name);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

// Reasoning counts as text: whoever waits sees it come.
std::string text_of_choices(const Json& chunk) {
  const Json* choices = chunk.find("choices");
  const Json::Array* list = choices == nullptr ? nullptr : choices->as_array();
  std::string text;
  if (list == nullptr) return text;
  for (const Json& choice : *list) {
    const Json* delta = choice.find("delta");
    text +=
        text_of(&choice, "text") + text_of(delta, "reasoning_content") + text_of(delta, "content");
  }
  return text;
}

}  // namespace

Result<Endpoint> parse_url(const std::string& url) {
  const Error wrong{.kind = ErrorKind::kUsage,
                    .what = "not an address of a server",
                    .expected = "http://HOST:PORT",
                    .found = url};
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return wrong;
  const size_t path = std::min(url.find('/', kScheme.size()), url.size());
  std::string place = url.substr(kScheme.size(), path - kScheme.size());
  Endpoint endpoint{.port = "80", .base_path = url.substr(path)};
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
  const size_t colon = place.rfind(':');
  if (colon != std::string::npos && place.find(']', colon) == std::string::npos) {
    endpoint.port = place.substr(colon + 1);
    place.resize(colon);
  }
  if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
  const bool has_digits =
      std::ranges::all_of(endpoint.port, [](char c) { return c >= '0' && c <= '9'; });
  if (place.empty() || endpoint.port.empty() || !has_digits) return wrong;
  endpoint.host = place;
  return endpoint;
}

void read_usage(const Json& response, Answer& answer) {
  const Json* usage = response.find("usage");
  if (usage == nullptr || usage->as_object() == nullptr) return;
  answer.prompt_tokens = count_of(usage, "prompt_tokens", answer.prompt_tokens);
  answer.generated_tokens = count_of(usage, "completion_tokens", answer.generated_tokens);
  answer.cached_tokens =
      count_of(usage->find("prompt_tokens_details"), "cached_tokens", answer.cached_tokens);
}

void read_chunk(std::string_view data, double at_ms, Answer& answer) {
  if (answer.first_event_ms < 0) answer.first_event_ms = at_ms;
  if (data.empty() || data == "[DONE]") return;
  const Result<Json> chunk = Json::parse(data, "an event of the server", kLimits);
  if (!chunk.ok()) {
    answer.error = chunk.error().message();
    return;
  }
  if (const Json* error = chunk->find("error"); error != nullptr && !error->is_null()) {
    answer.error = text_of(error, "message");
    if (answer.error.empty()) answer.error = "an error without a message";
  }
  const std::string text = text_of_choices(*chunk);
  if (!text.empty()) {
    answer.token_ms.push_back(at_ms);
    answer.text += text;
    ++answer.generated_tokens;
  }
  read_usage(*chunk, answer);
}

}  // namespace kvasir::bench
