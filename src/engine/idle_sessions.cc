#include "engine/idle_sessions.h"

#include <algorithm>

#include "base/check.h"
#include "engine/engine_state.h"

namespace kvasir {

void IdleSessions::add(Session::State& session) {
  entries_.push_back({.session = &session, .last_used = operation_});
}

void IdleSessions::remove(const Session::State& session) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.session == &session; });
}

void IdleSessions::mark_used(const Session::State& session) {
  const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& one) { return one.session == &session; });
  KVASIR_CHECK(entry != entries_.end(), "a session of this engine");
  entry->last_used = operation_;
}

Session::State* IdleSessions::longest_idle() const {
  const Entry* longest = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.last_used == operation_ || !entry.session->is_whole()) continue;
    if (longest == nullptr || entry.last_used < longest->last_used) longest = &entry;
  }
  return longest != nullptr ? longest->session : nullptr;
}

// ---- what the engine does with them ----

bool Engine::State::put_aside(Session::State& session) {
  if (!persistence || !persistence->saves() || !session.is_whole()) return false;
  session.recorder->mark_resumable();
  // Blocks that wait to be written stay in memory.
  persistence->drain();
  session.lose_rows();
  session.is_aside = true;
  return true;
}

bool Engine::State::put_an_idle_session_aside() {
  Session::State* idle = sessions.longest_idle();
  return idle != nullptr && put_aside(*idle);
}

}  // namespace kvasir
