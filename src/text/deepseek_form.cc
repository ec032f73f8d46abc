#include "text/deepseek_form.h"

#include <string_view>
#include <vector>

#include "text/deepseek_calls.h"
#include "text/deepseek_tools.h"
#include "text/deepseek_turns.h"
#include "text/deepseek_variant.h"

namespace kvasir::text {
namespace {

using Kind = DeepSeekTurn::Kind;

constexpr std::string_view kCallMarker = "｜DSML｜";

bool model_thinks(const FormOptions& options) {
  if (options.thinking != Thinking::kNotSaid) return options.thinking == Thinking::kOn;
  return options.effort != Effort::kNone;
}

std::string_view effort_text(const DeepSeekVariant& variant, const FormOptions& options) {
  if (!model_thinks(options)) return "";
  switch (options.effort) {
    case Effort::kMinimal:
    case Effort::kLow:
      return variant.low_effort;
    case Effort::kMax:
      return variant.max_effort;
    default:
      return variant.high_effort;
  }
}

// The model says itself when it has thought enough to make a call.
bool opens_calls(const FormOptions& options, bool has_tools) {
  return has_tools && !model_thinks(options) && options.tool_choice != ToolChoice::kAuto;
}

// Texts of people and results of tools, one after the other, are one block.
bool goes_on(const DeepSeekTurn* before, Kind kind, bool keeps_places) {
  if (before == nullptr) return false;
  if (keeps_places && before->kind == Kind::kUser) return true;
  if (before->kind == Kind::kToolResult) return true;
  return before->kind == Kind::kUser && kind == Kind::kUser;
}

}  // namespace

Result<DeepSeekForm> DeepSeekForm::create(const Tokenizer& tokenizer) {
  KVASIR_ASSIGN_OR_RETURN(const ChatFormat format, ChatFormat::create(tokenizer));
  return DeepSeekForm(format);
}

DeepSeekForm::DeepSeekForm(const ChatFormat& format)
    : variant_(&deepseek_variant(format.reply_form().calls)),
      markers_(format.markers()),
      tokenizer_(&format.tokenizer()),
      call_marker_(tokenizer_->added_token_id(kCallMarker)),
      reminder_(tokenizer_->added_token_id("<｜latest_reminder｜>")) {}

Result<FormedPrompt> DeepSeekForm::encode(std::span<const Message> messages,
                                          const FormOptions& options, const SaidIds& said) const {
  KVASIR_RETURN_IF_ERROR(check_conversation(messages, options));
  KVASIR_ASSIGN_OR_RETURN(const std::vector<Tool> tools, told_tools(options));
  const bool thinks = model_thinks(options);
  DeepSeekTurns arranged = arranged_turns(messages, reminder_.has_value(), variant_->keeps_places);
  std::optional<DeepSeekTurn> unfinished;
  if (options.continues_last) {
    unfinished = arranged.turns.back();
    arranged.turns.pop_back();
  }
  MarkedText out(*tokenizer_);
  out.add_marker(markers_.begin_of_sentence);
  KVASIR_RETURN_IF_ERROR(add_front(arranged.system, tools, options, out));
  const bool tells_reasoning = thinks && (!tools.empty() || options.keeps_reasoning);
  const int64_t said_turns = add_turns(arranged.turns, tells_reasoning, said, out);
  out.add_marker(markers_.assistant);
  bool is_reasoning = thinks;
  if (unfinished) {
    is_reasoning = add_unfinished_answer(*unfinished, thinks, out);
  } else {
    out.add_marker(thinks ? markers_.think_begin : markers_.think_end);
  }
  const int64_t unopened_tokens = std::ssize(out.ids());
  if (opens_calls(options, !tools.empty())) open_tool_calls(*variant_, call_marker_, out);
  const int64_t opening_tokens = std::ssize(out.ids()) - unopened_tokens;
  return FormedPrompt{.tokens = out.take_ids(),
                      .starts_in_reasoning = is_reasoning,
                      .opening_tokens = opening_tokens,
                      .said_turns = said_turns};
}

Status DeepSeekForm::add_front(std::string_view system, std::span<const Tool> tools,
                               const FormOptions& options, MarkedText& out) const {
  const std::string_view effort = effort_text(*variant_, options);
  const bool tells_any = !effort.empty() || !system.empty() || !tools.empty() ||
                         options.answer_format != AnswerFormat::kText;
  if (markers_.system && tells_any) out.add_marker(*markers_.system);
  out.add_text(effort);
  out.add_text(system);
  KVASIR_RETURN_IF_ERROR(add_tools(tools, *variant_, spelled_markers(), out));
  return add_answer_format(options, *variant_, out);
}

std::vector<SpelledMarker> DeepSeekForm::spelled_markers() const {
  std::vector<SpelledMarker> markers = {{"<think>", markers_.think_begin},
                                        {"</think>", markers_.think_end}};
  if (call_marker_) markers.push_back({kCallMarker, *call_marker_});
  return markers;
}

int64_t DeepSeekForm::add_turns(std::span<const DeepSeekTurn> turns, bool tells_reasoning,
                                const SaidIds& said, MarkedText& out) const {
  int64_t said_count = 0;
  const DeepSeekTurn* before = nullptr;
  for (const DeepSeekTurn& turn : turns) {
    switch (turn.kind) {
      case Kind::kUser:
      case Kind::kToolResult:
        if (goes_on(before, turn.kind, variant_->keeps_places)) {
          out.add_text("\n\n");
        } else {
          out.add_marker(markers_.user);
        }
        out.add_text(turn.kind == Kind::kUser ? turn.text
                                              : "<tool_result>" + turn.text + "</tool_result>");
        break;
      case Kind::kReminder:
        out.add_marker(*reminder_);
        out.add_text(turn.text);
        break;
      case Kind::kSystem:
        out.add_marker(*markers_.system);
        out.add_text(turn.text);
        break;
      case Kind::kAssistant:
        out.add_marker(markers_.assistant);
        if (add_said(*turn.message, tells_reasoning, said, out)) {
          ++said_count;
          break;
        }
        if (tells_reasoning) {
          out.add_marker(markers_.think_begin);
          out.add_text(turn.message->reasoning);
        }
        out.add_marker(markers_.think_end);
        add_answer(turn, out);
        out.add_marker(markers_.end_of_sentence);
        break;
    }
    before = &turn;
  }
  return said_count;
}

bool DeepSeekForm::add_said(const Message& message, bool tells_reasoning, const SaidIds& said,
                            MarkedText& out) const {
  if (!said.knows || !said.knows(message)) return false;
  std::vector<int32_t> before = out.ids();
  for (const int32_t opener : {markers_.think_begin, markers_.think_end}) {
    if (opener == markers_.think_begin && !tells_reasoning) continue;
    before.push_back(opener);
    std::optional<std::vector<int32_t>> ids = said.find(before, message);
    before.pop_back();
    if (!ids) continue;
    out.add_marker(opener);
    // A marker that ended the reply in its stead belongs to no turn.
    while (!ids->empty() && ids->back() != markers_.end_of_sentence &&
           tokenizer_->is_special(ids->back())) {
      ids->pop_back();
    }
    out.add_ids(*ids);
    // What was cut off, or ended with its calls, said no end.
    if (ids->empty() || ids->back() != markers_.end_of_sentence)
      out.add_marker(markers_.end_of_sentence);
    return true;
  }
  return false;
}

void DeepSeekForm::add_answer(const DeepSeekTurn& turn, MarkedText& out) const {
  out.add_text(turn.text);
  if (!turn.message->calls.empty())
    add_tool_calls(turn.message->calls, *variant_, call_marker_, out);
}

bool DeepSeekForm::add_unfinished_answer(const DeepSeekTurn& turn, bool thinks,
                                         MarkedText& out) const {
  bool is_reasoning = thinks;
  if (thinks) {
    out.add_marker(markers_.think_begin);
    out.add_text(turn.message->reasoning);
    is_reasoning = turn.text.empty();
  }
  if (!is_reasoning) out.add_marker(markers_.think_end);
  add_answer(turn, out);
  return is_reasoning;
}

}  // namespace kvasir::text
