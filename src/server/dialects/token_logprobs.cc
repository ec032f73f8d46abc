#include "server/dialects/token_logprobs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace kvasir::server {
namespace {

constexpr float kLogprobMin = -9999;

// The shortest decimal that is this float: as it stands, its double would have 17 digits.
Json logprob_json(float logprob) {
  const float finite = logprob > kLogprobMin ? std::min(logprob, 0.0f) : kLogprobMin;
  std::array<char, 32> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), finite);
  double shortest = 0;
  std::from_chars(digits.data(), written.ptr, shortest);
  return shortest;
}

Json bytes_json(std::string_view text) {
  Json::Array bytes;
  bytes.reserve(text.size());
  for (const char c : text) bytes.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return bytes;
}

Json::Object chat_token(int32_t id, float logprob, const TokenText& token_text) {
  std::string text = token_text(id);
  Json bytes = bytes_json(text);
  return {
      {"token", std::move(text)}, {"logprob", logprob_json(logprob)}, {"bytes", std::move(bytes)}};
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Characters that begin in the text.
int64_t character_count(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return !continues_character(c); });
}

// Bytes of the character that begins so; 0: none does.
size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
}

// Tokens are cut out of UTF-8, so it is enough to see whether characters are whole.
bool has_whole_characters(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = character_bytes(text.front());
    if (bytes == 0 || bytes > text.size()) return false;
    const std::string_view rest = text.substr(1, bytes - 1);
    if (!std::ranges::all_of(rest, continues_character)) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

// Part of a character is no text, and two such tokens must not look alike: "bytes:\xe2\x80".
std::string completion_token(std::string text) {
  if (has_whole_characters(text)) return text;
  std::string escaped = "bytes:";
  for (const char c : text) {
    escaped += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return escaped;
}

void add_member(Json::Object& object, std::string name, float logprob) {
  const auto has_name = [&](const auto& member) { return member.first == name; };
  if (std::ranges::none_of(object, has_name)) {
    object.emplace_back(std::move(name), logprob_json(logprob));
  }
}

}  // namespace

Json::Array chat_logprobs(std::span<const SampledToken> tokens, const TokenText& token_text) {
  Json::Array content;
  content.reserve(tokens.size());
  for (const SampledToken& token : tokens) {
    Json::Array most_likely;
    for (const TokenLogprob& other : token.most_likely) {
      most_likely.emplace_back(chat_token(other.id, other.logprob, token_text));
    }
    Json::Object entry = chat_token(token.id, token.logprob, token_text);
    entry.emplace_back("top_logprobs", std::move(most_likely));
    content.emplace_back(std::move(entry));
  }
  return content;
}

CompletionLogprobs::CompletionLogprobs(TokenText token_text, int top_count)
    : token_text_(std::move(token_text)), top_count_(top_count) {}

void CompletionLogprobs::add_prompt(std::span<const SampledToken> tokens, std::string_view text) {
  // Ids that begin a prompt and a blank before its first word stand in no text. So offsets are
  // counted from its end.
  std::vector<int64_t> offsets(tokens.size());
  characters_ = character_count(text);
  int64_t offset = characters_;
  for (size_t i = tokens.size(); i > 0; --i) {
    offset -= character_count(token_text_(tokens[i - 1].id));
    offsets[i - 1] = std::max(offset, int64_t{0});
  }
  for (size_t i = 0; i < tokens.size(); ++i) add_token(tokens[i], offsets[i]);
  if (tokens.empty()) return;
  logprobs_.front() = Json();
  most_likely_.front() = Json();
}

void CompletionLogprobs::add(std::span<const SampledToken> tokens) {
  for (const SampledToken& token : tokens) {
    add_token(token, characters_);
    characters_ += character_count(token_text_(token.id));
  }
}

void CompletionLogprobs::add_token(const SampledToken& token, int64_t offset) {
  tokens_.emplace_back(completion_token(token_text_(token.id)));
  logprobs_.push_back(logprob_json(token.logprob));
  most_likely_.push_back(most_likely(token));
  offsets_.emplace_back(offset);
}

// The sampled token is always among them, which may make them one more than asked for.
Json CompletionLogprobs::most_likely(const SampledToken& token) const {
  Json::Object found;
  for (const TokenLogprob& other : token.most_likely) {
    add_member(found, completion_token(token_text_(other.id)), other.logprob);
  }
  add_member(found, completion_token(token_text_(token.id)), token.logprob);
  return found;
}

Json CompletionLogprobs::take() {
  Json most_likely = top_count_ > 0 ? Json(std::exchange(most_likely_, {})) : Json();
  return Json::Object{{"tokens", std::exchange(tokens_, {})},
                      {"token_logprobs", std::exchange(logprobs_, {})},
                      {"top_logprobs", std::move(most_likely)},
                      {"text_offset", std::exchange(offsets_, {})}};
}

}  // namespace kvasir::server
