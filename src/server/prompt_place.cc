#include "server/prompt_place.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/utf8.h"

namespace kvasir::server {
namespace {

using Part = PromptPlace::Part;

struct Field {
  std::string name;
  std::string_view text;
};

// In the order in which forms tell them.
std::vector<Field> fields_of(const Message& message) {
  std::vector<Field> fields;
  if (!message.reasoning.empty()) fields.push_back({"reasoning", message.reasoning});
  for (size_t i = 0; i < message.parts.size(); ++i) {
    fields.push_back(
        {message.parts.size() == 1 ? "content" : fmt::format("content[{}]", i), message.parts[i]});
  }
  for (size_t i = 0; i < message.calls.size(); ++i) {
    fields.push_back({fmt::format("tool_calls[{}].name", i), message.calls[i].name});
    fields.push_back({fmt::format("tool_calls[{}].arguments", i), message.calls[i].arguments});
  }
  return fields;
}

// As find(), in a time that does not grow with the product of the sizes: of long texts it looks for
// the first bytes, and tries some of their places.
size_t find_in(std::string_view whole, std::string_view text, size_t begin) {
  constexpr size_t kFirstBytes = 64;
  constexpr int kTriesMax = 16;
  const std::string_view first = text.substr(0, kFirstBytes);
  size_t at = whole.find(first, begin);
  for (int tries = 0; at != whole.npos && tries < kTriesMax; ++tries) {
    if (whole.substr(at).starts_with(text)) return at;
    at = whole.find(first, at + 1);
  }
  return whole.npos;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

int64_t characters_before(std::string_view text, size_t bytes) {
  int64_t count = 0;
  for (size_t at = 0; at < bytes && at < text.size(); ++count) {
    at += read_character(text, at).size_bytes;
  }
  return count;
}

std::string joined(std::span<const int32_t> ids,
                   const std::function<std::string(int32_t id)>& token_text) {
  std::string text;
  for (const int32_t id : ids) text += token_text(id);
  return text;
}

// Looks for places of one prompt.
class Finder {
 public:
  Finder(const PlacedPrompt& prompt, int64_t same_ids, int64_t same_bytes)
      : prompt_(prompt),
        same_ids_(same_ids),
        same_bytes_(same_bytes),
        reached_(prompt.messages.size() + 1) {}

  PromptPlace find() {
    const size_t message = message_here();
    const auto [first, end] = results_around(message);
    const int64_t begin = reach(first);
    const auto ids = prompt_.ids.subspan(static_cast<size_t>(begin));
    const auto before_place = std::max<int64_t>(same_ids_ - begin, 0);
    region_ = joined(ids.first(static_cast<size_t>(std::max(reach(end) - begin, before_place))),
                     prompt_.token_text);
    offset_ = joined(ids.first(static_cast<size_t>(before_place)), prompt_.token_text).size() +
              static_cast<size_t>(same_bytes_);
    PromptPlace place = in_message(message);
    // Forms tell results of tools in the order of the calls.
    for (size_t other = first; other < end && place.character < 0 && end - first > 1; ++other) {
      if (const PromptPlace there = in_message(other); there.character >= 0) place = there;
    }
    if (place.character < 0 && begin == 0) refine_front(message, place);
    return place;
  }

 private:
  // How many of the ids the first `count` messages account for.
  int64_t reach(size_t count) {
    if (count == 0) return 0;
    if (count == prompt_.messages.size()) return std::ssize(prompt_.ids);
    std::optional<int64_t>& known = reached_[count];
    if (!known) known = same_as(prompt_.form, count);
    return *known;
  }

  int64_t same_as(FormOptions form, size_t count) const {
    form.continues_last = form.continues_last && count == prompt_.messages.size();
    const auto ids = prompt_.encode(prompt_.messages.first(count), form);
    return ids ? same_beginning(*ids, prompt_.ids) : 0;
  }

  // The message that the first differing id belongs to.
  size_t message_here() {
    size_t before = 0;
    size_t behind = prompt_.messages.size();
    while (behind - before > 1) {
      const size_t middle = before + (behind - before) / 2;
      (reach(middle) > same_ids_ ? behind : before) = middle;
    }
    return behind - 1;
  }

  // The results of tools that stand together with that message; else the message itself.
  std::pair<size_t, size_t> results_around(size_t message) const {
    const auto is_result = [&](size_t index) {
      return prompt_.messages[index].role == Role::kTool;
    };
    size_t first = message;
    size_t end = message + 1;
    if (!is_result(message)) return {first, end};
    while (first > 0 && is_result(first - 1)) --first;
    while (end < prompt_.messages.size() && is_result(end)) ++end;
    return {first, end};
  }

  PromptPlace in_message(size_t index) const {
    const Message& message = prompt_.messages[index];
    PromptPlace place{
        .part = Part::kMessage, .index = static_cast<int64_t>(index), .role = message.role};
    size_t cursor = 0;
    for (const Field& field : told_fields(message)) {
      std::string_view text = field.text;
      size_t at = find_in(region_, text, cursor);
      if (at == region_.npos) at = find_in(region_, text = trimmed(field.text), cursor);
      if (at == region_.npos || text.empty()) continue;
      if (offset_ < at) break;
      place.field = field.name;
      cursor = at + text.size();
      if (offset_ >= cursor) continue;
      const auto cut = static_cast<size_t>(text.data() - field.text.data());
      place.character = characters_before(field.text, cut + offset_ - at);
      return place;
    }
    return place;
  }

  // Forms leave reasoning out of some turns, and it may be what the answer begins with.
  std::vector<Field> told_fields(const Message& message) const {
    std::vector<Field> fields = fields_of(message);
    if (message.reasoning.empty() || message.parts.empty()) return fields;
    const size_t reasoning = find_in(region_, trimmed(message.reasoning), 0);
    const std::string_view text = trimmed(message.parts.front());
    const size_t answer = find_in(region_, text, 0);
    const bool is_in_answer =
        answer != region_.npos && answer <= reasoning && reasoning < answer + text.size();
    if (is_in_answer || reasoning == region_.npos) fields.erase(fields.begin());
    return fields;
  }

  // Before the first turn stand things that no message says.
  void refine_front(size_t message, PromptPlace& place) const {
    FormOptions without = prompt_.form;
    without.answer_format = AnswerFormat::kText;
    if (differs_from(prompt_.form.answer_format != AnswerFormat::kText, without, message)) {
      place = {.part = Part::kSettings, .field = "response_format"};
      return;
    }
    without = prompt_.form;
    without.tools.clear();
    without.tool_choice = ToolChoice::kAuto;
    if (differs_from(!prompt_.form.tools.empty(), without, message)) {
      place = {.part = Part::kTools, .index = tool_here()};
      return;
    }
    if (place.field.empty()) place = {.part = Part::kSettings};
  }

  // Whether what the other form leaves out begins at the place or before.
  bool differs_from(bool has_it, const FormOptions& without, size_t message) const {
    return has_it && same_as(without, message + 1) <= same_ids_;
  }

  int64_t tool_here() const {
    int64_t here = -1;
    size_t cursor = 0;
    for (size_t i = 0; i < prompt_.form.tools.size(); ++i) {
      const size_t at = region_.find("\"" + prompt_.form.tools[i].name + "\"", cursor);
      if (at == region_.npos) continue;
      if (at > offset_) break;
      here = static_cast<int64_t>(i);
      cursor = at + 1;
    }
    return here;
  }

  const PlacedPrompt& prompt_;
  const int64_t same_ids_;
  const int64_t same_bytes_;
  std::vector<std::optional<int64_t>> reached_;  // [messages + 1]
  std::string region_;                           // what the message of the place is told as
  size_t offset_ = 0;                            // of the place in it
};

}  // namespace

std::string PromptPlace::words() const {
  const std::string at = character < 0 ? "" : fmt::format(", character {}", character);
  switch (part) {
    case Part::kSettings:
      return field.empty() ? "what stands before the messages" : field;
    case Part::kTools:
      return index < 0 ? "tools" : fmt::format("tool {}", index);
    case Part::kText:
      return "the prompt" + at;
    case Part::kMessage:
      return fmt::format("message {} ({}){}{}", index, name_of(role),
                         field.empty() ? "" : ", " + field, at);
  }
  KVASIR_CHECK(false, "a known part");
}

PromptPlace place_of(const PlacedPrompt& prompt, int64_t same_ids, int64_t same_bytes) {
  KVASIR_CHECK(same_ids >= 0 && same_ids < std::ssize(prompt.ids), "a place in the prompt");
  return Finder(prompt, same_ids, same_bytes).find();
}

PromptPlace place_in_text(std::span<const int32_t> ids,
                          const std::function<std::string(int32_t id)>& token_text,
                          int64_t same_ids, int64_t same_bytes) {
  const std::string text =
      joined(ids.first(static_cast<size_t>(std::min(same_ids + 1, std::ssize(ids)))), token_text);
  const size_t before = joined(ids.first(static_cast<size_t>(same_ids)), token_text).size();
  return {.part = Part::kText,
          .character = characters_before(text, before + static_cast<size_t>(same_bytes))};
}

int64_t same_beginning(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t count = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(count), b.begin()).first -
         a.begin();
}

}  // namespace kvasir::server
