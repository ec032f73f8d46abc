// These functions run one forward pass of an engine. They make room for it beforehand and hand what
// it made to the store afterwards. They also compute again what cannot be read back from disk.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"
#include "engine/engine_state.h"

namespace kvasir {

Status Engine::State::run(std::span<const PassInput> inputs) {
  Status status = try_pass(inputs);
  // Rows that could not be read end a pass in its middle: damage costs time, not the session. So
  // does a study, whose sessions are not brought back without a store.
  const bool was_cut_short = std::any_of(inputs.begin(), inputs.end(), [](const PassInput& input) {
    return !input.session->is_whole();
  });
  if (status.ok() || !was_cut_short || persistence == nullptr) return status;
  for (const PassInput& input : inputs) KVASIR_RETURN_IF_ERROR(make_whole(*input.session));
  return try_pass(inputs);
}

Status Engine::State::try_pass(std::span<const PassInput> inputs) {
  if (persistence) KVASIR_RETURN_IF_ERROR(make_room(inputs));
  pieces.clear();
  for (const PassInput& input : inputs) {
    KVASIR_CHECK(input.session->engine == this, "a session of this engine");
    KVASIR_CHECK(input.session->is_whole(), "a session whose rows are there");
    pieces.push_back({.sequence = &*input.session->sequence,
                      .tokens = input.tokens,
                      .logits_of = input.logits_of,
                      .logits = input.logits});
  }
  KVASIR_CHECK(std::ssize(state_memory) == (persistence ? std::ssize(inputs) : 0),
               "with a store, memory for every session's boundary state");
  const Stopwatch watch;
  Status status = model->forward(pieces, residency() != nullptr ? residency()->rows() : nullptr);
  // How fast prompts are computed is what the remote tier races against.
  if (status.ok() && persistence && persistence->remote() != nullptr && inputs.size() == 1) {
    persistence->remote()->note_speed(std::ssize(inputs[0].tokens), watch.elapsed_ms() / 1000);
  }
  for (size_t i = 0; status.ok() && i < state_memory.size(); ++i) {
    Session::State& session = *inputs[i].session;
    session.recorder->after_pass(*session.sequence, std::move(state_memory[i]));
  }
  state_memory.clear();
  // Rows that are of no further use would be in the way of the sessions that are made whole again.
  for (const PassInput& input : inputs) {
    if (persistence && !input.session->is_whole()) input.session->lose_rows();
  }
  return status;
}

// Grants all that the pass will allocate, and allocates the memory of the states to be taken after
// it, before any token is appended.
Status Engine::State::make_room(std::span<const PassInput> inputs) {
  appendings.clear();
  for (const PassInput& input : inputs) {
    KVASIR_CHECK(input.session->is_whole() && input.session->recorder,
                 "a whole session, recorded for the store");
    appendings.push_back({.sequence = &*input.session->sequence,
                          .recorder = &*input.session->recorder,
                          .token_count = std::max(input.room_tokens, std::ssize(input.tokens))});
  }
  Status room = persistence->make_room(appendings);
  while (!room.ok() && room.error().kind == ErrorKind::kNoRoom && put_an_idle_session_aside()) {
    room = persistence->make_room(appendings);
  }
  KVASIR_RETURN_IF_ERROR(std::move(room));
  state_memory.clear();
  for (const PassInput& input : inputs) {
    Session::State& session = *input.session;
    Result<kv::Block> memory =
        session.recorder->state_memory(*session.sequence, std::ssize(input.tokens));
    if (!memory.ok()) {
      state_memory.clear();
      return std::move(memory).error();
    }
    state_memory.push_back(std::move(*memory));
  }
  return ok_status();
}

Status Engine::State::make_whole(Session::State& session) {
  if (session.is_whole()) return ok_status();
  if (persistence == nullptr) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a study ended a pass of this session, which is of no further use"};
  }
  KVASIR_CHECK(!session.sequence, "rows of a pass that was cut short are given up by then");
  // Where one row is damaged others may be: after this what the store finds is right.
  if (!session.is_aside)
    KVASIR_RETURN_IF_ERROR(persistence->verify(session.root, session.tokens()));
  const std::span<const int32_t> tokens = session.lost_tokens;
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed resumed,
                          resume(session.root, tokens, std::ssize(tokens)));
  // Damage that strikes again takes this one, and what the session knows of itself stays.
  Session::State again{.engine = this,
                       .root = session.root,
                       .sequence = std::move(resumed.sequence),
                       .recorder = std::move(resumed.recorder)};
  while (again.length() < std::ssize(tokens)) {
    const auto rest = tokens.subspan(static_cast<size_t>(again.length()));
    const PassInput input{.session = &again, .tokens = rest.first(again.pass_tokens(rest.size()))};
    KVASIR_RETURN_IF_ERROR(try_pass({&input, 1}));
  }
  session.sequence = std::move(again.sequence);
  session.recorder = std::move(again.recorder);
  session.lost_tokens = {};
  session.is_aside = false;
  return ok_status();
}

Result<persist::Resumed> Engine::State::resume(const store::Key& root,
                                               std::span<const int32_t> tokens,
                                               int64_t length_max) {
  while (true) {
    Result<persist::Resumed> resumed = persistence->resume(root, tokens, length_max);
    if (resumed.ok() || resumed.error().kind != ErrorKind::kNoRoom) return resumed;
    if (!put_an_idle_session_aside()) return resumed;
  }
}

persist::Residency* Engine::State::residency() const {
  return persistence ? persistence->residency() : nullptr;
}

Status Engine::State::check_ram(int64_t token_count) const {
  return residency() == nullptr ? ok_status() : residency()->check(token_count);
}

Status Engine::State::begin_append(Session::State& session, std::span<const int32_t> tokens) {
  KVASIR_RETURN_IF_ERROR(check_tokens(tokens));
  KVASIR_RETURN_IF_ERROR(check_ram(session.length() + std::ssize(tokens)));
  sessions.mark_used(session);
  return make_whole(session);
}

}  // namespace kvasir
