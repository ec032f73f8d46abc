#include "bench/serve/load_prompts.h"

#include <string_view>

#include "base/json.h"
#include "base/random.h"

namespace kvasir::bench {
namespace {

constexpr std::string_view kWords[] = {
    "river",   "stone",   "lamp",   "winter", "garden", "letter", "bridge", "silver",
    "morning", "road",    "apple",  "music",  "paper",  "forest", "window", "captain",
    "storm",   "village", "summer", "gold",   "horse",  "salt",   "tower",  "night",
    "friend",  "harbor",  "wheat",  "candle", "island", "fire",   "clock",  "snow"};

Json::Object options_of(const std::string& model, int64_t tokens_max) {
  return {{"model", model},
          {"max_tokens", tokens_max},
          {"temperature", 1.0},
          {"seed", 7},
          {"ignore_eos", true},
          {"stream", true},
          {"stream_options", Json::Object{{"include_usage", true}}}};
}

}  // namespace

std::string made_up_words(uint64_t seed, int64_t count) {
  Random random(seed);
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += random.pick(kWords);
  }
  return text;
}

Ask completion(const std::string& model, const std::string& prompt, int64_t tokens_max) {
  Json::Object body = options_of(model, tokens_max);
  body.emplace_back("prompt", prompt);
  return {.path = "/v1/completions", .body = Json(std::move(body)).dump()};
}

Ask whole_completion(const std::string& model, const std::string& prompt) {
  const Json body = Json::Object{{"model", model}, {"prompt", prompt}, {"max_tokens", 1}};
  return {.path = "/v1/completions", .body = body.dump()};
}

Ask chat_completion(const std::string& model, const Turns& turns, int64_t tokens_max) {
  Json::Array messages;
  for (const auto& [role, content] : turns) {
    messages.emplace_back(Json::Object{{"role", role}, {"content", content}});
  }
  Json::Object body = options_of(model, tokens_max);
  body.emplace_back("messages", std::move(messages));
  return {.path = "/v1/chat/completions", .body = Json(std::move(body)).dump()};
}

}  // namespace kvasir::bench
