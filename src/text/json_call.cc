#include "text/json_call.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace kvasir::text {
namespace {

constexpr std::string_view kBefore[] = {"name", "arguments", "parameters", "type", "id"};

// The text of a string in quotes; what is no JSON is itself.
std::string unquoted(const std::string& quoted) {
  const auto parsed = Json::parse(quoted, "call");
  if (parsed.ok() && parsed->as_string() != nullptr) return *parsed->as_string();
  return quoted;
}

}  // namespace

// As if the outer object had come up to here.
void JsonCall::begin_arguments_of(std::string name) {
  is_arguments_alone_ = true;
  depth_ = 1;
  in_value_ = true;
  part_ = Part::kArguments;
  has_name_ = true;
  calls_->begin(std::move(name));
}

JsonCall::State JsonCall::push(char c) {
  const State state = push_character(c);
  const bool ends_alone = is_arguments_alone_ && state == State::kOpen && !is_forwarded_;
  return ends_alone ? push_character('}') : state;
}

JsonCall::State JsonCall::push_character(char c) {
  if (in_string_) {
    push_in_string(c);
    return in_string_ ? State::kOpen : end_string();
  }
  return push_outside(c);
}

void JsonCall::push_in_string(char c) {
  if (is_forwarded_) tell(c);
  if (depth_ == 1) string_ += c;
  in_string_ = is_escaped_ || c != '"';
  is_escaped_ = !is_escaped_ && c == '\\';
}

JsonCall::State JsonCall::push_outside(char c) {
  if (c == '"') {
    in_string_ = true;
    if (depth_ == 1) string_ = c;
    if (is_forwarded_) tell(c);
    return State::kOpen;
  }
  if (depth_ == 1 && in_value_ && (c == ',' || c == '}')) in_value_ = false;
  const bool opens = c == '{' || c == '[';
  const bool closes = c == '}' || c == ']';
  if (opens && depth_ == 1 && part_ == Part::kArguments && c == '{') is_forwarded_ = true;
  if (is_forwarded_) tell(c);
  depth_ += opens ? 1 : closes ? -1 : 0;
  if (c == ':' && depth_ == 1) in_value_ = true;
  if (closes && depth_ == 1 && std::exchange(is_forwarded_, false)) part_ = Part::kNone;
  if (depth_ > 0) return State::kOpen;
  return end();
}

// A key, or a value of the outer object.
JsonCall::State JsonCall::end_string() {
  if (depth_ != 1) return State::kOpen;
  const std::string text = unquoted(string_);
  if (!in_value_) {
    if (!has_name_ && std::ranges::find(kBefore, text) == std::end(kBefore)) return State::kNoCall;
    part_ = text == "name"                                ? Part::kName
            : text == "arguments" || text == "parameters" ? Part::kArguments
                                                          : Part::kNone;
    return State::kOpen;
  }
  const Part part = std::exchange(part_, Part::kNone);
  if (part == Part::kArguments) tell_arguments(text);
  if (part == Part::kName && !has_name_) {
    has_name_ = true;
    calls_->begin(text);
    calls_->add(std::exchange(arguments_, {}));
  }
  return State::kOpen;
}

void JsonCall::tell(char c) { tell_arguments({&c, 1}); }

void JsonCall::tell_arguments(std::string_view text) {
  has_arguments_ = true;
  if (has_name_) {
    calls_->add(text);
  } else {
    arguments_ += text;
  }
}

JsonCall::State JsonCall::end() {
  if (!has_name_) return State::kNoCall;
  if (!has_arguments_) calls_->add("{}");
  calls_->end();
  return State::kEnded;
}

}  // namespace kvasir::text
