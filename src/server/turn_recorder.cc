#include "server/turn_recorder.h"

#include "base/check.h"

namespace kvasir::server {
namespace {

// Of an answer that a stop string ended, less is shown than was said; of one that was interrupted
// nobody knows what was.
bool is_shown_whole(StopReason reason) {
  return reason == StopReason::kEndOfText || reason == StopReason::kToolCalls ||
         reason == StopReason::kTokenLimit;
}

}  // namespace

Status TurnRecorder::take(const ServiceEvent& event) {
  Message& answer = answers_[static_cast<size_t>(event.answer)];
  if (!event.piece.answer.empty()) answer.parts.push_back(event.piece.answer);
  for (const CallPiece& piece : event.piece.calls) {
    if (piece.index >= std::ssize(answer.calls)) {
      KVASIR_CHECK(piece.index == std::ssize(answer.calls), "calls come in order");
      answer.calls.push_back({.id = prompt_.call_id(event.answer, piece.index)});
    }
    answer.calls[static_cast<size_t>(piece.index)].name += piece.name;
    answer.calls[static_cast<size_t>(piece.index)].arguments += piece.arguments;
  }
  if (event.kind != ServiceEvent::Kind::kEnded || !is_shown_whole(event.stop_reason)) {
    return ok_status();
  }
  // A reply that was cut off in its reasoning showed nothing that could be told of it.
  if (answer.parts.empty() && answer.calls.empty()) return ok_status();
  answer.role = Role::kAssistant;
  return prompt_.book->add(prompt_.tenant, {.before = prompt_.ids,
                                            .ids = event.ids,
                                            .shown = std::move(answer),
                                            .names = {prompt_.name}});
}

}  // namespace kvasir::server
