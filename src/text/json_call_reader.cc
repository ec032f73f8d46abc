#include "text/json_call_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir::text {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// How much of a text's end may be the beginning of the opening, with the blanks before it.
size_t held_size(std::string_view text, std::string_view opening) {
  size_t size = std::min(text.size(), opening.size() - 1);
  while (!text.ends_with(opening.substr(0, size))) --size;
  text.remove_suffix(size);
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
    ++size;
  }
  return size;
}

}  // namespace

std::string_view opening_of(CallForm form) {
  switch (form) {
    case CallForm::kTagged:
      return "<tool_call>";
    case CallForm::kBare:
      return "<|python_tag|>";
    case CallForm::kListed:
    case CallForm::kNamed:
      return "[TOOL_CALLS]";
    default:
      KVASIR_CHECK(false, "a form of objects");
  }
}

void JsonCallReader::read(const ReplyText& said, bool /*is_marker*/) {
  out_.reasoning += said.reasoning;
  for (const char c : said.answer) {
    if (is_over()) return;
    switch (place_) {
      case Place::kText:
        read_text(c);
        break;
      case Place::kBefore:
        read_before(c);
        break;
      case Place::kCall:
        read_call(c);
        break;
      case Place::kBehind:
        read_behind(c);
        break;
    }
  }
}

void JsonCallReader::read_text(char c) {
  held_ += c;
  if (form_ == CallForm::kBare && at_start_ && c == '{') {
    begin_call();
    return;
  }
  at_start_ = at_start_ && is_blank(c);
  if (held_.ends_with(opening_)) {
    place_ = Place::kBefore;
    return;
  }
  const size_t told = held_.size() - held_size(held_, opening_);
  out_.answer += held_.substr(0, told);
  held_.erase(0, told);
}

void JsonCallReader::read_before(char c) {
  held_ += c;
  if (c == '{') {
    if (form_ != CallForm::kNamed) return begin_call();
    if (!begin_named()) tell_held();
    return;
  }
  const bool may_follow = is_blank(c) || c == '[' || form_ == CallForm::kNamed;
  if (!may_follow) tell_held();
}

bool JsonCallReader::begin_named() {
  const std::string_view before(held_);
  const size_t start = before.rfind(opening_) + opening_.size();
  const size_t end = std::min(before.find("[CALL_ID]", start), before.find("[ARGS]", start));
  if (end == before.npos) return false;
  std::string name(before.substr(start, end - start));
  std::erase_if(name, is_blank);
  place_ = Place::kCall;
  call_.emplace(calls_).begin_arguments_of(std::move(name));
  call_->push('{');
  in_calls_ = true;
  held_.clear();
  return true;
}

void JsonCallReader::begin_call() {
  place_ = Place::kCall;
  call_.emplace(calls_);
  call_->push('{');
}

// Held until it is certain that it is a call.
void JsonCallReader::read_call(char c) {
  if (!in_calls_) held_ += c;
  const JsonCall::State state = call_->push(c);
  if (call_->has_name()) {
    in_calls_ = true;
    held_.clear();
  }
  if (state == JsonCall::State::kOpen) return;
  place_ = Place::kBehind;
  if (state == JsonCall::State::kNoCall && !in_calls_) tell_held();
}

void JsonCallReader::read_behind(char c) {
  if (form_ != CallForm::kNamed) {
    if (c == '{') begin_call();
    return;
  }
  held_ += c;
  if (held_.ends_with(opening_)) place_ = Place::kBefore;
}

void JsonCallReader::tell_held() {
  place_ = in_calls_ ? Place::kBehind : Place::kText;
  at_start_ = false;
  if (!in_calls_) out_.answer += held_;
  held_.clear();
}

void JsonCallReader::release() {
  if (!in_calls_) tell_held();
}

}  // namespace kvasir::text
