#include "engine/reply_stream.h"

#include <utility>

namespace kvasir {
namespace {

// Returns what may be shown of the text that a matcher of markers held back to the end. A text may
// end with "<"; more than that is a marker that the end cut off.
std::string without_cut_marker(std::string held) {
  return held.size() > 1 ? std::string() : std::move(held);
}

}  // namespace

ReplyStream::ReplyStream(const text::ReplyForm& form, bool starts_in_reasoning,
                         const std::vector<std::string>& stop_strings, ChatSink on_text)
    : parser_(form, starts_in_reasoning),
      reasoning_markers_(form.turn_markers),
      answer_markers_(form.turn_markers),
      stops_(stop_strings),
      on_text_(std::move(on_text)) {}

std::optional<StopReason> ReplyStream::push(int32_t id) {
  show(parser_.push(id));
  if (stops_.matched()) return StopReason::kStopString;
  const bool ended = parser_.ended() || reasoning_markers_.matched() || answer_markers_.matched();
  return ended ? std::optional(StopReason::kEndOfText) : std::nullopt;
}

void ReplyStream::finish() {
  show(parser_.flush());
  emit(without_cut_marker(reasoning_markers_.flush()), true);
  emit(stops_.push(without_cut_marker(answer_markers_.flush())), false);
  emit(stops_.flush(), false);
}

void ReplyStream::show(const text::ReplyText& piece) {
  emit(reasoning_markers_.push(piece.reasoning), true);
  if (!parser_.in_reasoning()) emit(without_cut_marker(reasoning_markers_.flush()), true);
  emit(stops_.push(answer_markers_.push(piece.answer)), false);
}

void ReplyStream::emit(std::string_view piece, bool is_reasoning) {
  if (!piece.empty()) on_text_(piece, is_reasoning);
}

}  // namespace kvasir
