#include "server/turn_recorder.h"

#include <utility>

#include "base/clock.h"

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
  const bool is_end = event.kind == ServiceEvent::Kind::kEnded;
  Status kept = ok_status();
  if (is_end && event.answer == 0 && event.stop_reason != StopReason::kInterrupted) {
    kept = keep(event);
  }
  // A reply that was cut off in its reasoning showed nothing that could be told of it.
  const bool is_turn = is_end && is_shown_whole(event.stop_reason) && !answer.all().empty();
  if (!is_turn) return kept;
  const auto begin = prompt_.ids.end() - prompt_.opening_tokens;
  std::vector<int32_t> ids(begin, prompt_.ids.end());
  ids.insert(ids.end(), event.ids.begin(), event.ids.end());
  Status said = prompt_.book->add(prompt_.tenant, {.before = {prompt_.ids.begin(), begin},
                                                   .ids = std::move(ids),
                                                   .shown = shown(event.answer),
                                                   .names = {prompt_.name}});
  return said.ok() ? std::move(kept) : std::move(said);
}

Status TurnRecorder::keep(const ServiceEvent& event) {
  if (!prompt_.conversations) return ok_status();
  std::vector<int32_t> ids = prompt_.ids;
  ids.insert(ids.end(), event.ids.begin(), event.ids.end());
  KeptReply& reply = prompt_.kept;
  reply.key = prompt_.key_of(ids);
  reply.token_count = std::ssize(ids);
  reply.time_s = unix_seconds();
  if (!reply.messages.empty() && !answers_.front().all().empty()) {
    reply.messages.push_back(shown(0));
    reply.messages.back().said_as = prompt_.name;
  }
  return prompt_.conversations->add(prompt_.tenant, std::move(reply));
}

}  // namespace kvasir::server
