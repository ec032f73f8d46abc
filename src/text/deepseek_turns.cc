#include "text/deepseek_turns.h"

#include <algorithm>
#include <iterator>
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

// V4's encoder sorts as many turns as a message has calls by the ids of the calls, results
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

bool is_instruction(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

DeepSeekTurns sorted_turns(std::span<const Message> messages, bool has_reminders) {
  DeepSeekTurns arranged;
  size_t i = 0;
  for (; i < messages.size() && is_instruction(messages[i]); ++i) {
    append_paragraph(joined_parts(messages[i], kBetween), arranged.system);
  }
  for (; i < messages.size(); ++i) add_message(messages[i], has_reminders, arranged.turns);
  sort_results(arranged.turns);
  return arranged;
}

Turn turn_in_place(const Message& message, bool has_reminders) {
  Turn turn{.text = joined_parts(message, kBetween), .message = &message};
  switch (message.role) {
    case Role::kSystem:
    case Role::kDeveloper:
      turn.kind = Kind::kSystem;
      break;
    case Role::kLatestReminder:
      turn.kind = has_reminders ? Kind::kReminder : Kind::kSystem;
      break;
    case Role::kUser:
      turn.kind = Kind::kUser;
      break;
    case Role::kAssistant:
      turn.kind = Kind::kAssistant;
      break;
    case Role::kTool:
      turn.kind = Kind::kToolResult;
      break;
  }
  return turn;
}

// Results that are one block with each other, in the order of the newest calls. One of another call
// stands like one of the first.
void order_block(std::span<Turn> block, std::span<const ToolCall> calls) {
  std::vector<Turn> results;
  std::ranges::copy_if(block, std::back_inserter(results),
                       [](const Turn& turn) { return turn.kind == Kind::kToolResult; });
  std::ranges::stable_sort(results, {}, [&](const Turn& result) {
    const auto call = std::ranges::find(calls, result.message->call_id, &ToolCall::id);
    return call == calls.end() ? 0 : call - calls.begin();
  });
  auto next = results.begin();
  for (Turn& turn : block) {
    if (turn.kind == Kind::kToolResult) turn = *next++;
  }
}

void order_results(std::span<Turn> turns) {
  const auto in_block = [](const Turn& turn) {
    return turn.kind == Kind::kUser || turn.kind == Kind::kToolResult;
  };
  std::span<const ToolCall> calls;
  for (auto at = turns.begin(); at != turns.end();) {
    const auto end = std::find_if_not(at, turns.end(), in_block);
    order_block({at, end}, calls);
    at = end == turns.end() ? end : end + 1;
    if (end != turns.end() && end->kind == Kind::kAssistant && !end->message->calls.empty()) {
      calls = end->message->calls;
    }
  }
}

DeepSeekTurns turns_in_place(std::span<const Message> messages, bool has_reminders) {
  DeepSeekTurns arranged;
  for (const Message& message : messages) {
    Turn turn = turn_in_place(message, has_reminders);
    if (turn.kind == Kind::kSystem && turn.text.empty()) continue;
    if (turn.kind == Kind::kReminder && !arranged.turns.empty() &&
        arranged.turns.back().kind == Kind::kReminder) {
      continue;
    }
    if (is_instruction(message) && arranged.turns.empty() && arranged.system.empty()) {
      arranged.system = std::move(turn.text);
    } else {
      arranged.turns.push_back(std::move(turn));
    }
  }
  order_results(arranged.turns);
  return arranged;
}

}  // namespace

DeepSeekTurns arranged_turns(std::span<const Message> messages, bool has_reminders,
                             bool keeps_places) {
  return keeps_places ? turns_in_place(messages, has_reminders)
                      : sorted_turns(messages, has_reminders);
}

}  // namespace kvasir::text
