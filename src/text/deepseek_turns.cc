#include "text/deepseek_turns.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "text/conversation_form.h"

namespace kvasir::text {
namespace {

using Turn = DeepSeekTurn;
using Kind = Turn::Kind;

constexpr std::string_view kBetween = "\n\n";

void append_paragraph(std::string_view text, std::string& whole) {
  if (text.empty()) return;
  if (!whole.empty()) whole += kBetween;
  whole += text;
}

void add_user(std::string_view text, std::vector<Turn>& turns) {
  if (turns.empty() || turns.back().kind != Kind::kUser) turns.push_back({.kind = Kind::kUser});
  append_paragraph(text, turns.back().text);
}

void add_message(const Message& message, bool has_reminders, std::vector<Turn>& turns) {
  std::string text = joined_parts(message, kBetween);
  switch (message.role) {
    case Role::kLatestReminder:
      if (has_reminders) {
        turns.push_back({.kind = Kind::kReminder, .text = std::move(text)});
        break;
      }
      [[fallthrough]];
    case Role::kSystem:
      if (!text.empty()) add_user(reminder_text(text), turns);
      break;
    case Role::kDeveloper:
    case Role::kUser:
      add_user(text, turns);
      break;
    case Role::kAssistant:
      turns.push_back({.kind = Kind::kAssistant, .text = std::move(text), .message = &message});
      break;
    case Role::kTool:
      turns.push_back({.kind = Kind::kToolResult, .text = std::move(text), .message = &message});
      break;
  }
}

bool stands_before(const Turn& a, const Turn& b) {
  const bool a_is_result = a.kind == Kind::kToolResult;
  const bool b_is_result = b.kind == Kind::kToolResult;
  if (!a_is_result || !b_is_result) return a_is_result && !b_is_result;
  return a.message->call_id < b.message->call_id;
}

// The makers' encoder sorts as many turns as a message has calls by the ids of the calls, results
// first. Where each call has its result these are the results.
void sort_results(std::vector<Turn>& turns) {
  std::vector<size_t> call_counts(turns.size());
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].kind == Kind::kAssistant) call_counts[i] = turns[i].message->calls.size();
  }
  for (size_t i = 0; i < call_counts.size(); ++i) {
    if (call_counts[i] >= turns.size() - i) continue;
    const auto begin = turns.begin() + static_cast<ptrdiff_t>(i) + 1;
    std::stable_sort(begin, begin + static_cast<ptrdiff_t>(call_counts[i]), stands_before);
  }
}

}  // namespace

DeepSeekTurns arranged_turns(std::span<const Message> messages, bool has_reminders) {
  DeepSeekTurns arranged;
  size_t i = 0;
  for (; i < messages.size(); ++i) {
    if (messages[i].role != Role::kSystem && messages[i].role != Role::kDeveloper) break;
    append_paragraph(joined_parts(messages[i], kBetween), arranged.system);
  }
  for (; i < messages.size(); ++i) add_message(messages[i], has_reminders, arranged.turns);
  sort_results(arranged.turns);
  return arranged;
}

}  // namespace kvasir::text
