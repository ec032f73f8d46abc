// One forward pass of an engine: room for it beforehand, what it made handed to the store
// afterwards, and what to do when rows that were put on disk cannot be read back.
#include <algorithm>

#include "engine/engine_state.h"

namespace kvasir {

Status Engine::State::run(std::span<const PassInput> inputs) {
  Status status = try_pass(inputs);
  // Only rows that could not be read end a pass in its middle. Damage costs time, not the session.
  const bool was_cut_short = std::any_of(inputs.begin(), inputs.end(), [](const PassInput& input) {
    return input.session->sequence.is_appending();
  });
  if (status.ok() || !was_cut_short) return status;
  for (const PassInput& input : inputs) KVASIR_RETURN_IF_ERROR(rebuild(*input.session));
  return try_pass(inputs);
}

Status Engine::State::try_pass(std::span<const PassInput> inputs) {
  pieces.clear();
  for (const PassInput& input : inputs) {
    Session::State& session = *input.session;
    if (session.recorder) {
      KVASIR_RETURN_IF_ERROR(
          session.recorder->make_room(session.sequence, std::ssize(input.tokens)));
    }
    pieces.push_back({.sequence = &session.sequence,
                      .tokens = input.tokens,
                      .logits_of = input.logits_of,
                      .logits = input.logits});
  }
  KVASIR_RETURN_IF_ERROR(
      model->forward(pieces, residency() != nullptr ? &residency()->rows() : nullptr));
  for (const PassInput& input : inputs) {
    if (!input.session->recorder) continue;
    KVASIR_RETURN_IF_ERROR(input.session->recorder->after_pass(input.session->sequence));
  }
  return ok_status();
}

Status Engine::State::rebuild(Session::State& session) {
  const auto known = session.sequence.tokens();
  const std::vector<int32_t> tokens(known.begin(), known.end());
  // Where one row is damaged others may be: after this what the store finds is right.
  if (session.recorder) KVASIR_RETURN_IF_ERROR(session.recorder->verify());
  // The old sequence's memory would be in the new one's way.
  session.recorder.reset();
  KVASIR_ASSIGN_OR_RETURN(session.sequence, kv::Sequence::create(model->layout(), account));
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed resumed,
                          persistence->resume(tokens, std::ssize(tokens)));
  session.sequence = std::move(resumed.sequence);
  session.recorder.emplace(std::move(resumed.recorder));
  while (session.sequence.length() < std::ssize(tokens)) {
    const auto rest = std::span(tokens).subspan(static_cast<size_t>(session.sequence.length()));
    const PassInput input{.session = &session,
                          .tokens = rest.first(session.pass_tokens(rest.size()))};
    KVASIR_RETURN_IF_ERROR(try_pass({&input, 1}));
  }
  return ok_status();
}

persist::Residency* Engine::State::residency() const {
  return persistence ? persistence->residency() : nullptr;
}

Status Engine::State::check_ram(int64_t token_count) const {
  return residency() == nullptr ? ok_status() : residency()->check(token_count);
}

}  // namespace kvasir
