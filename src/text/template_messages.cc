#include "text/template_messages.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/conversation_form.h"

namespace kvasir::text {
namespace {

constexpr std::string_view kBetweenMessages = "\n\n";
// As vLLM joins them for templates that take one text.
constexpr std::string_view kBetweenParts = "\n";

struct Entry {
  std::string role;
  std::vector<std::string> parts;
  std::string reasoning;
  std::vector<ToolCall> calls;
  std::string call_id;
};

std::string text_of(const Entry& entry) {
  return joined_parts({.parts = entry.parts}, kBetweenParts);
}

Entry user_entry(std::string text) { return {.role = "user", .parts = {std::move(text)}}; }

bool is_instruction(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper ||
         message.role == Role::kLatestReminder;
}

const char* instruction_role(const Message& message, const TemplateTraits& traits) {
  return message.role == Role::kDeveloper && traits.has_developer ? "developer" : "system";
}

const char* role_of(const Message& message) {
  if (message.role == Role::kAssistant) return "assistant";
  return message.role == Role::kTool ? "tool" : "user";
}

void append_paragraph(std::string_view text, std::string& whole) {
  if (!whole.empty() && !text.empty()) whole += kBetweenMessages;
  whole += text;
}

void join(const Entry& entry, Entry& whole) {
  if (whole.parts.size() != 1) whole.parts = {text_of(whole)};
  append_paragraph(text_of(entry), whole.parts.front());
  append_paragraph(entry.reasoning, whole.reasoning);
  whole.calls.insert(whole.calls.end(), entry.calls.begin(), entry.calls.end());
}

bool says_nothing(const Entry& entry) {
  return entry.role == "assistant" && entry.calls.empty() && entry.reasoning.empty() &&
         text_of(entry).empty();
}

// A question behind a result becomes a part of it, where only an answer may follow.
bool is_one_turn(const Entry& entry, const Entry& next) {
  if (entry.role == "tool") return next.role == "user";
  return entry.role == next.role;
}

class Arranger {
 public:
  explicit Arranger(const TemplateTraits& traits) : traits_(&traits) {}

  void add_at_start(const Message& message) {
    Entry entry{.role = instruction_role(message, *traits_), .parts = message.parts};
    const bool stands_apart = entries_.empty() || (entries_.back().role == entry.role
                                                       ? traits_->has_two_systems
                                                       : traits_->has_system_and_developer);
    if (stands_apart) {
      entries_.push_back(std::move(entry));
    } else {
      join(entry, entries_.back());
    }
  }

  // Where there are no system messages, the question that follows begins with them.
  void end_start() {
    if (entries_.empty() || traits_->has_system || entries_.front().role != "system") return;
    entries_.front().role = "user";
    begins_question_ = true;
  }

  // An answer that says nothing is kept where it is to be continued.
  void add(const Message& message, bool is_continued) {
    if (is_instruction(message)) {
      add_late(message);
      return;
    }
    if (message.role == Role::kTool && !traits_->has_results) {
      push(user_entry("<tool_result>" + joined_parts(message, kBetweenParts) + "</tool_result>"));
      return;
    }
    Entry entry{.role = role_of(message),
                .parts = message.parts,
                .reasoning = message.reasoning,
                .calls = message.calls,
                .call_id = message.call_id};
    if (!says_nothing(entry) || traits_->has_empty_answers || is_continued) push(std::move(entry));
  }

  std::vector<Entry> take(TurnOrder order) && {
    if (order == TurnOrder::kAlternating) alternate();
    return std::move(entries_);
  }

 private:
  void add_late(const Message& message) {
    const std::string text = joined_parts(message, kBetweenParts);
    if (text.empty()) return;
    if (traits_->has_late_system) {
      push({.role = instruction_role(message, *traits_), .parts = message.parts});
    } else {
      push(user_entry(reminder_text(text)));
    }
  }

  void push(Entry entry) {
    const bool is_second =
        entry.role == "user" && !entries_.empty() && entries_.back().role == "user";
    if (is_second && (begins_question_ || !traits_->has_two_users)) {
      join(entry, entries_.back());
    } else {
      entries_.push_back(std::move(entry));
    }
    begins_question_ = false;
  }

  void alternate() {
    std::vector<Entry> given = std::exchange(entries_, {});
    bool waits_for_question = true;
    for (Entry& entry : given) {
      if (waits_for_question && entry.role == "assistant") entries_.push_back(user_entry(""));
      waits_for_question =
          waits_for_question && (entry.role == "system" || entry.role == "developer");
      if (!entries_.empty() && is_one_turn(entries_.back(), entry)) {
        join(entry, entries_.back());
      } else {
        entries_.push_back(std::move(entry));
      }
    }
    if (waits_for_question) entries_.push_back(user_entry(""));
  }

  const TemplateTraits* traits_;
  std::vector<Entry> entries_;
  bool begins_question_ = false;
};

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Some templates insist on ids of nine letters and digits. They are counted, so that a conversation
// that grows keeps those that it had.
class ShortIds {
 public:
  void shorten(std::vector<Entry>& entries) {
    for (Entry& entry : entries) {
      for (ToolCall& call : entry.calls) call.id = of(call.id);
      if (!entry.call_id.empty()) entry.call_id = of(entry.call_id);
    }
  }

 private:
  std::string of(const std::string& id) {
    if (id.size() == 9 && std::ranges::all_of(id, is_letter_or_digit)) return id;
    const size_t number = numbers_.emplace(id, numbers_.size()).first->second;
    const std::string digits = std::to_string(number);
    return std::string(digits.size() < 9 ? 9 - digits.size() : 0, '0') + digits;
  }

  std::map<std::string, size_t> numbers_;
};

ContentForms content_forms(const std::string& role, const TemplateTraits& traits) {
  if (role == "user") return traits.user;
  if (role == "assistant") return traits.assistant;
  if (role == "system" || role == "developer") return traits.system;
  return {};
}

Json content_of(const Entry& entry, const TemplateTraits& traits) {
  const ContentForms forms = content_forms(entry.role, traits);
  if (forms.text && !(forms.parts && entry.parts.size() > 1)) return text_of(entry);
  Json::Array parts;
  for (const std::string& part : entry.parts) {
    parts.emplace_back(Json::Object{{"type", "text"}, {"text", part}});
  }
  return parts;
}

// The arguments as an object where they are one.
Json arguments_of(const ToolCall& call, const TemplateTraits& traits) {
  if (traits.arguments_are_text) return call.arguments;
  Result<Json> parsed = Json::parse(call.arguments, "arguments");
  if (!parsed.ok() || parsed->as_object() == nullptr) return call.arguments;
  return *std::move(parsed);
}

Json calls_of(const Entry& entry, const TemplateTraits& traits) {
  Json::Array calls;
  for (const ToolCall& call : entry.calls) {
    calls.emplace_back(Json::Object{
        {"id", call.id},
        {"type", "function"},
        {"function",
         Json::Object{{"name", call.name}, {"arguments", arguments_of(call, traits)}}}});
  }
  return calls;
}

class JsonWriter {
 public:
  explicit JsonWriter(const TemplateTraits& traits) : traits_(&traits) {}

  Json written(const Entry& entry) {
    Json::Object object{{"role", entry.role}};
    const bool has_content =
        entry.calls.empty() || !entry.parts.empty() || !traits_->calls_stand_without_content;
    if (has_content) object.emplace_back("content", content_of(entry, *traits_));
    if (tells_reasoning(entry)) object.emplace_back("reasoning_content", entry.reasoning);
    if (!entry.calls.empty()) object.emplace_back("tool_calls", calls_of(entry, *traits_));
    for (const ToolCall& call : entry.calls) names_[call.id] = call.name;
    if (entry.role == "tool") add_tool_members(entry, object);
    return object;
  }

 private:
  bool tells_reasoning(const Entry& entry) const {
    if (entry.reasoning.empty()) return false;
    const bool has_text =
        std::ranges::any_of(entry.parts, [](const std::string& part) { return !part.empty(); });
    return entry.calls.empty() || !has_text || !traits_->calls_have_text_alone;
  }
  void add_tool_members(const Entry& entry, Json::Object& object) const {
    if (!entry.call_id.empty()) object.emplace_back("tool_call_id", entry.call_id);
    const auto name = names_.find(entry.call_id);
    if (name != names_.end()) object.emplace_back("name", name->second);
  }

  const TemplateTraits* traits_;
  std::map<std::string, std::string> names_;  // of tools, by the ids of calls
};

}  // namespace

Json::Array template_messages(std::span<const Message> messages, const TemplateTraits& traits,
                              TurnOrder order, std::string_view last_text_end) {
  Arranger arranger(traits);
  size_t i = 0;
  for (; i < messages.size() && is_instruction(messages[i]); ++i)
    arranger.add_at_start(messages[i]);
  arranger.end_start();
  for (; i < messages.size(); ++i) {
    arranger.add(messages[i], !last_text_end.empty() && i + 1 == messages.size());
  }
  std::vector<Entry> entries = std::move(arranger).take(order);
  if (order == TurnOrder::kAlternating) ShortIds().shorten(entries);
  if (!last_text_end.empty()) {
    std::vector<std::string>& parts = entries.back().parts;
    if (parts.empty()) parts.emplace_back();
    parts.back() += last_text_end;
  }
  JsonWriter writer(traits);
  Json::Array written;
  for (const Entry& entry : entries) written.push_back(writer.written(entry));
  return written;
}

}  // namespace kvasir::text
