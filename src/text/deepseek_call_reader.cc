#include "text/deepseek_call_reader.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace kvasir::text {
namespace {

constexpr std::string_view kMarker = "｜DSML｜";

// What a text is inside a JSON string.
std::string escaped(std::string_view text) {
  const std::string quoted = Json(std::string(text)).dump();
  return quoted.substr(1, quoted.size() - 2);
}

// How much of a text's end may be the beginning of a tag.
size_t opening_size(std::string_view text) {
  if (text.ends_with("</")) return 2;
  return text.ends_with('<') ? 1 : 0;
}

// Likewise with the newlines before it.
size_t block_size(std::string_view text) {
  const size_t tag = text.ends_with('<') ? 1 : 0;
  text.remove_suffix(tag);
  const size_t last = text.find_last_not_of('\n');
  return text.size() - (last == text.npos ? 0 : last + 1) + tag;
}

std::string_view first_word(std::string_view tag) {
  tag.remove_prefix(std::min(tag.find_first_not_of(' '), tag.size()));
  return tag.substr(0, tag.find_first_of(" \n/"));
}

// Earlier and later models call it so.
bool is_block(std::string_view word) {
  return word == "tool_calls" || word == "function_calls" || word == "calls";
}

// A parameter's name may have quotes inside.
std::string_view name_in(std::string_view tag) {
  constexpr std::string_view kName = "name=\"";
  const size_t at = tag.find(kName);
  if (at == tag.npos) return {};
  tag.remove_prefix(at + kName.size());
  const size_t end = tag.find("\" string=");
  return tag.substr(0, end == tag.npos ? tag.find('"') : end);
}

bool says_text(std::string_view tag) {
  return tag.find("string=\"false") == tag.npos && tag.find("string=false") == tag.npos;
}

}  // namespace

void DeepSeekCallReader::read(const ReplyText& said, bool is_marker) {
  if (!said.reasoning.empty()) read_in(&ReplyText::reasoning, said.reasoning, is_marker);
  if (!said.answer.empty()) read_in(&ReplyText::answer, said.answer, is_marker);
}

void DeepSeekCallReader::read_in(std::string ReplyText::*part, std::string_view text,
                                 bool is_marker) {
  if (part != part_ && place_ == Place::kText) tell_but(0);
  part_ = part;
  // Bytes that are no character may stand before it.
  if (is_marker) text.remove_suffix(kMarker.size());
  read_text(text);
  if (is_marker) read_marker();
}

void DeepSeekCallReader::read_text(std::string_view text) {
  while (!text.empty() && place_ == Place::kTag) read_tag(text);
  if (is_over()) return;
  held_ += text;
  switch (place_) {
    case Place::kText:
      return tell_but(block_size(held_));
    case Place::kValue:
      return tell_but(opening_size(held_));
    case Place::kTag:
    case Place::kBetween:
      held_.erase(0, held_.size() - opening_size(held_));
  }
}

void DeepSeekCallReader::tell_but(size_t bytes) {
  const std::string told = held_.substr(0, held_.size() - bytes);
  held_.erase(0, told.size());
  if (place_ == Place::kText) out_.*part_ += told;
  if (place_ == Place::kValue) calls_.add(is_text_ ? escaped(told) : told);
}

void DeepSeekCallReader::read_marker() {
  if (is_over()) return;
  if (place_ == Place::kTag) {
    const size_t opening = opening_size(tag_);
    if (opening == 0) {
      tag_ += kMarker;
    } else {
      begin_tag(opening == 2);
    }
    return;
  }
  const size_t opening = opening_size(held_);
  const bool begins_tag = place_ == Place::kValue  ? opening == 2
                          : place_ == Place::kText ? opening == 1
                                                   : opening > 0;
  if (!begins_tag) {
    held_ += kMarker;
    return tell_but(0);
  }
  if (place_ == Place::kText) lead_ = held_ + std::string(kMarker);
  if (place_ == Place::kValue) end_value();
  begin_tag(opening == 2);
}

void DeepSeekCallReader::end_value() {
  tell_but(opening_size(held_));
  if (is_text_) calls_.add("\"");
}

void DeepSeekCallReader::begin_tag(bool is_closing) {
  held_.clear();
  tag_.clear();
  is_closing_ = is_closing;
  place_ = Place::kTag;
}

void DeepSeekCallReader::read_tag(std::string_view& text) {
  const size_t end = text.find('>');
  tag_ += text.substr(0, end);
  text.remove_prefix(std::min(end, text.size()));
  if (end == text.npos) return;
  text.remove_prefix(1);
  if (tag_is_complete()) {
    end_tag();
  } else {
    tag_ += '>';
  }
}

// Whether a ">" ends it. One inside a name does not.
bool DeepSeekCallReader::tag_is_complete() const {
  if (std::ranges::count(tag_, '"') % 2 == 0) return true;
  const size_t last = tag_.find_last_not_of(" /");
  return last != tag_.npos && tag_[last] == '"';
}

void DeepSeekCallReader::end_tag() {
  const std::string tag = std::exchange(tag_, {});
  const std::string_view word = first_word(tag);
  place_ = Place::kBetween;
  if (!in_calls_ && !is_block(word) && word != "invoke") {
    place_ = Place::kText;
    held_ = std::exchange(lead_, {}) + tag + ">";
    return;
  }
  in_calls_ = true;
  if (is_closing_) {
    if (word == "invoke" || is_block(word)) end_call();
    is_over_ = is_block(word);
  } else if (word == "invoke") {
    end_call();
    has_parameters_ = false;
    if (!is_over()) calls_.begin(std::string(name_in(tag)));
  } else if (word == "parameter" && calls_.is_open()) {
    begin_parameter(tag);
  }
}

void DeepSeekCallReader::end_call() {
  if (!calls_.is_open()) return;
  calls_.add(has_parameters_ ? "}" : "{}");
  calls_.end();
}

void DeepSeekCallReader::begin_parameter(std::string_view tag) {
  is_text_ = says_text(tag);
  calls_.add(std::exchange(has_parameters_, true) ? ", \"" : "{\"");
  calls_.add(escaped(name_in(tag)) + "\": " + (is_text_ ? "\"" : ""));
  place_ = Place::kValue;
}

void DeepSeekCallReader::release() {
  if (place_ == Place::kText || place_ == Place::kValue) tell_but(0);
}

}  // namespace kvasir::text
