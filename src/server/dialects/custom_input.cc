#include "server/dialects/custom_input.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace kvasir::server {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_high_surrogate(std::string_view escape) {
  const bool has_d = escape[2] == 'd' || escape[2] == 'D';
  return has_d && std::string_view("89abAB").find(escape[3]) != std::string_view::npos;
}

// How long the escape is that the text begins with; a pair of surrogates is one. 0: too little is
// there to know it.
size_t escape_bytes(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] != 'u') return 2;
  if (text.size() < 6) return 0;
  const std::string_view second = text.substr(6, 2);
  const bool may_be_pair = is_high_surrogate(text) && std::string_view("\\u").starts_with(second);
  if (!may_be_pair) return 6;
  return text.size() < 12 ? 0 : 12;
}

std::string unescaped(std::string_view escape) {
  const Result<Json> json = Json::parse("\"" + std::string(escape) + "\"", "escape");
  const std::string* text = json.ok() ? json->as_string() : nullptr;
  return text == nullptr ? "\xef\xbf\xbd" : *text;
}

}  // namespace

std::string CustomInput::add(std::string_view arguments) {
  if (state_ == State::kBehind) return {};
  pending_ += arguments;
  if (state_ == State::kBefore) find_text();
  return state_ == State::kInside ? take_text() : std::string();
}

std::string CustomInput::finish() {
  if (state_ != State::kOther) return {};
  const Result<Json> json = Json::parse(pending_, "arguments");
  const Json* input = json.ok() ? json->find("input") : nullptr;
  const std::string* text = input == nullptr ? nullptr : input->as_string();
  return text == nullptr ? std::exchange(pending_, {}) : *text;
}

void CustomInput::find_text() {
  size_t at = 0;
  for (const std::string_view token : {"{", "\"input\"", ":", "\""}) {
    while (at < pending_.size() && is_blank(pending_[at])) ++at;
    const std::string_view rest = std::string_view(pending_).substr(at, token.size());
    if (rest.size() < token.size() && token.starts_with(rest)) return;
    if (rest != token) {
      state_ = State::kOther;
      return;
    }
    at += token.size();
  }
  pending_.erase(0, at);
  state_ = State::kInside;
}

std::string CustomInput::take_text() {
  std::string text;
  size_t at = 0;
  while (at < pending_.size() && state_ == State::kInside) {
    const size_t end = std::min(pending_.find_first_of("\\\"", at), pending_.size());
    text.append(pending_, at, end - at);
    at = end;
    if (at == pending_.size()) break;
    if (pending_[at] == '"') {
      state_ = State::kBehind;
      break;
    }
    const size_t bytes = escape_bytes(std::string_view(pending_).substr(at));
    if (bytes == 0) break;
    text += unescaped(std::string_view(pending_).substr(at, bytes));
    at += bytes;
  }
  pending_.erase(0, at);
  return text;
}

std::string custom_input(std::string_view arguments) {
  CustomInput input;
  std::string text = input.add(arguments);
  return text + input.finish();
}

}  // namespace kvasir::server
