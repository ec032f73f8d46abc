// What the remote tier brings before a session begins, and takes when one ends.
#include <algorithm>

#include "engine/engine_state.h"

namespace kvasir {

// Where many are fetched at a time it may not have begun, and it is not waited for any longer.
bool RemoteFetch::is_done() const {
  if (!fetch_ || fetch_->is_done()) return true;
  if (std::chrono::steady_clock::now() < fetch_->latest()) return false;
  fetch_->give_up();
  return true;
}

void RemoteFetch::wait(std::chrono::milliseconds patience) const {
  if (!fetch_) return;
  const auto now = std::chrono::steady_clock::now();
  fetch_->wait_until(std::min(store::remote::Deadline(now + patience), fetch_->latest()));
}

int64_t RemoteFetch::tokens_of(int64_t session_tokens) const {
  if (!fetch_ || !fetch_->is_done()) return 0;
  const int64_t begin = fetch_->wish().have_blocks * kv::kBlockTokens;
  const int64_t end = fetch_->report().blocks * kv::kBlockTokens;
  return std::max(int64_t{0}, std::min(end, session_tokens) - begin);
}

RemoteFetch Engine::State::begin_fetch(std::span<const int32_t> tokens,
                                       const SessionOptions& options) {
  if (!persistence || tokens.empty()) return {};
  return RemoteFetch(
      persistence->begin_fetch(persistence->root_of(options.salt), tokens, std::ssize(tokens) - 1));
}

Result<Session> Engine::State::resume_session(std::span<const int32_t> tokens,
                                              const SessionOptions& options,
                                              const RemoteFetch& fetch) {
  if (!persistence) {
    KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, kv::Sequence::create(model->layout(), account));
    return Session(std::make_unique<Session::State>(
        Session::State{.engine = this, .sequence = std::move(sequence)}));
  }
  sessions.begin_operation();
  const store::Key root = persistence->root_of(options.salt);
  // One token at least has to be computed for there to be logits.
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed resumed, resume(root, tokens, std::ssize(tokens) - 1));
  const int64_t stored = resumed.sequence.length() - resumed.shared_tokens;
  const int64_t remote = std::min(stored, fetch.tokens_of(resumed.sequence.length()));
  return Session(std::make_unique<Session::State>(
      Session::State{.engine = this,
                     .root = root,
                     .sequence = std::move(resumed.sequence),
                     .recorder = std::move(resumed.recorder),
                     .reused = {.ram_tokens = resumed.shared_tokens,
                                .disk_tokens = stored - remote,
                                .remote_tokens = remote}}));
}

std::optional<persist::RemoteChains::Ticket> Engine::State::hand_over(const Session& session) {
  const auto& recorder = session.state_->recorder;
  if (!persistence || persistence->remote() == nullptr || !recorder) return std::nullopt;
  const int64_t blocks = recorder->resumable_blocks();
  if (blocks == 0) return std::nullopt;
  // What is written to the remote tier is read from the store.
  persistence->drain();
  return persistence->remote()->write_now(recorder->keys()[static_cast<size_t>(blocks - 1)]);
}

}  // namespace kvasir
