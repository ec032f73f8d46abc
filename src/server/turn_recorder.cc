#include "server/turn_recorder.h"

namespace kvasir::server {
namespace {

// Of an answer that a stop string ended, less is shown than was said; of one that was interrupted
// nobody knows what was.
bool is_shown_whole(StopReason reason) {
  return reason == StopReason::kEndOfText || reason == StopReason::kToolCalls ||
         reason == StopReason::kTokenLimit;
}

}  // namespace

// Its texts and calls; reasoning comes back or not.
Message TurnRecorder::shown(int64_t answer) const {
  Message message{.role = Role::kAssistant};
  for (const ReplyPart& part : answers_[static_cast<size_t>(answer)].all()) {
    if (part.kind == ReplyPart::Kind::kAnswer) message.parts.push_back(part.text);
    if (part.kind != ReplyPart::Kind::kCall) continue;
    message.calls.push_back({.id = prompt_.call_id(answer, part.call_index),
                             .name = part.name,
                             .arguments = part.text});
  }
  return message;
}

Status TurnRecorder::take(const ServiceEvent& event) {
  ReplyParts& answer = answers_[static_cast<size_t>(event.answer)];
  if (!event.piece.answer.empty()) {
    answer.part(ReplyPart::Kind::kAnswer).text += event.piece.answer;
  }
  for (const CallPiece& piece : event.piece.calls) answer.add(piece);
  // A reply that was cut off in its reasoning showed nothing that could be told of it.
  const bool is_turn = event.kind == ServiceEvent::Kind::kEnded &&
                       is_shown_whole(event.stop_reason) && !answer.all().empty();
  if (!is_turn) return ok_status();
  const auto begin = prompt_.ids.end() - prompt_.opening_tokens;
  std::vector<int32_t> ids(begin, prompt_.ids.end());
  ids.insert(ids.end(), event.ids.begin(), event.ids.end());
  return prompt_.book->add(prompt_.tenant, {.before = {prompt_.ids.begin(), begin},
                                            .ids = std::move(ids),
                                            .shown = shown(event.answer),
                                            .names = {prompt_.name}});
}

}  // namespace kvasir::server
