#include <algorithm>
#include <functional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "engine/engine_state.h"
#include "kvasir/engine.h"

namespace kvasir {

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->engine->sessions.add(*state_);
}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
  // This session ends as `ended` does.
  Session ended(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}
Session::~Session() {
  if (state_) state_->engine->sessions.remove(*state_);
}

int64_t Session::length() const { return state_->length(); }

std::span<const int32_t> Session::tokens() const { return state_->tokens(); }

ReusedTokens Session::reused() const { return state_->reused; }

std::span<const float> Session::logits() const {
  KVASIR_CHECK(state_->has_logits, "a session that nothing was appended to has no logits");
  return state_->logits;
}

bool Session::has_logits() const { return state_->has_logits; }

std::span<const int32_t> Session::State::tokens() const {
  return sequence ? sequence->tokens() : std::span<const int32_t>(lost_tokens);
}

std::span<const int32_t> Session::State::standing_tokens(std::span<const int32_t> tokens,
                                                         std::vector<int32_t>& copy) const {
  const std::span<const int32_t> own = this->tokens();
  const std::less<const int32_t*> is_before;
  const bool is_own = is_before(tokens.data(), own.data() + own.size()) &&
                      is_before(own.data(), tokens.data() + tokens.size());
  if (!is_own) return tokens;
  copy.assign(tokens.begin(), tokens.end());
  return copy;
}

void Session::State::lose_rows() {
  if (!sequence) return;
  const auto known = sequence->tokens();
  lost_tokens.assign(known.begin(), known.end());
  recorder.reset();
  sequence.reset();
}

// A pass writes there only once all else has gone well, so the logits of before stay until then.
float* Session::State::logits_memory() {
  logits.resize(static_cast<size_t>(engine->info.vocab_size));
  return logits.data();
}

size_t Session::State::pass_tokens(size_t token_count) const {
  KVASIR_CHECK(token_count > 0, "an append with tokens to do");
  const int64_t begin = length();
  int64_t end = begin + static_cast<int64_t>(token_count);
  if (recorder) end = recorder->pass_end(begin, end);
  KVASIR_CHECK(end > begin && end - begin <= static_cast<int64_t>(token_count),
               "a pass over some of the tokens");
  return static_cast<size_t>(std::min(end - begin, engine->model->options().pass_tokens_max));
}

void Session::mark_resumable() {
  if (state_->recorder) state_->recorder->mark_resumable();
}

bool Session::is_in_memory() const { return state_->is_whole(); }

bool Session::put_aside() { return state_->engine->put_aside(*state_); }

Result<int64_t> Session::append(std::span<const int32_t> given, const Progress& progress) {
  std::vector<int32_t> copy;
  const std::span<const int32_t> tokens = state_->standing_tokens(given, copy);
  state_->engine->sessions.begin_operation();
  KVASIR_RETURN_IF_ERROR(state_->engine->begin_append(*state_, tokens));
  size_t done = 0;
  while (done < tokens.size()) {
    const auto chunk = tokens.subspan(done, state_->pass_tokens(tokens.size() - done));
    // Every chunk's last logits are computed, so that a stop between chunks leaves a usable
    // session.
    const Engine::State::PassInput input{.session = state_.get(),
                                         .tokens = chunk,
                                         .logits_of = model::LogitsOf::kLastToken,
                                         .logits = state_->logits_memory()};
    KVASIR_RETURN_IF_ERROR(state_->engine->run({&input, 1}));
    state_->has_logits = true;
    done += chunk.size();
    if (progress && !progress(static_cast<int64_t>(done), std::ssize(tokens))) {
      mark_resumable();
      break;
    }
  }
  return static_cast<int64_t>(done);
}

Status Session::append_with_logits(std::span<const int32_t> given, const LogitsSink& sink) {
  std::vector<int32_t> copy;
  const std::span<const int32_t> tokens = state_->standing_tokens(given, copy);
  state_->engine->sessions.begin_operation();
  KVASIR_RETURN_IF_ERROR(state_->engine->begin_append(*state_, tokens));
  const auto vocab = static_cast<size_t>(state_->engine->info.vocab_size);
  const auto chunk_max = static_cast<size_t>(state_->engine->model->options().pass_tokens_max);
  AlignedBuffer<float> logits(static_cast<int64_t>(std::min(chunk_max, tokens.size()) * vocab));
  if (logits.failed()) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory for the logits of a pass",
                 .expected = std::to_string(logits.size() * 4) + " bytes",
                 .remedy = "a smaller chunk needs less"};
  }
  for (size_t done = 0; done < tokens.size();) {
    const auto chunk = tokens.subspan(done, state_->pass_tokens(tokens.size() - done));
    const Engine::State::PassInput input{.session = state_.get(),
                                         .tokens = chunk,
                                         .logits_of = model::LogitsOf::kAllTokens,
                                         .logits = logits.data()};
    KVASIR_RETURN_IF_ERROR(state_->engine->run({&input, 1}));
    done += chunk.size();
    const std::span<const float> written(logits.data(), chunk.size() * vocab);
    const auto newest = written.last(vocab);
    std::copy(newest.begin(), newest.end(), state_->logits_memory());
    state_->has_logits = true;
    KVASIR_RETURN_IF_ERROR(sink(written));
  }
  return ok_status();
}

Result<Session> Session::fork() const {
  state_->engine->sessions.begin_operation();
  state_->engine->sessions.mark_used(*state_);
  KVASIR_RETURN_IF_ERROR(state_->engine->make_whole(*state_));
  if (persist::Persistence* persistence = state_->engine->persistence.get()) {
    const kv::CacheLayout& layout = state_->sequence->layout();
    persistence->make_way(layout.fixed_bytes() +
                          layout.block_bytes_of(std::ssize(state_->sequence->sealed_blocks())));
  }
  KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, state_->sequence->fork());
  return Session(std::make_unique<State>(State{.engine = state_->engine,
                                               .root = state_->root,
                                               .sequence = std::move(sequence),
                                               .recorder = state_->recorder,
                                               .logits = state_->logits,
                                               .has_logits = state_->has_logits}));
}

}  // namespace kvasir
