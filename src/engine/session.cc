#include <algorithm>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "engine/engine_state.h"
#include "kvasir/engine.h"

namespace kvasir {

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

int64_t Session::length() const { return state_->sequence.length(); }

std::span<const int32_t> Session::tokens() const { return state_->sequence.tokens(); }

std::span<const float> Session::logits() const {
  KVASIR_CHECK(!state_->logits.empty(), "a session without tokens has no logits");
  return state_->logits;
}

size_t Session::State::pass_tokens(size_t token_count) const {
  const int64_t begin = sequence.length();
  int64_t end = begin + static_cast<int64_t>(token_count);
  if (recorder) end = recorder->pass_end(begin, end);
  return static_cast<size_t>(std::min(end - begin, engine->model->options().pass_tokens_max));
}

void Session::keep() {
  if (state_->recorder) state_->recorder->keep();
}

Result<int64_t> Session::append(std::span<const int32_t> tokens, const Progress& progress) {
  KVASIR_RETURN_IF_ERROR(state_->engine->check_tokens(tokens));
  if (tokens.empty()) return int64_t{0};
  KVASIR_RETURN_IF_ERROR(state_->engine->check_ram(length() + std::ssize(tokens)));
  state_->logits.resize(static_cast<size_t>(state_->engine->info.vocab_size));
  size_t done = 0;
  while (done < tokens.size()) {
    const auto chunk = tokens.subspan(done, state_->pass_tokens(tokens.size() - done));
    // Every chunk's last logits are computed, so that a stop between chunks leaves a usable
    // session.
    const Engine::State::PassInput input{.session = state_.get(),
                                         .tokens = chunk,
                                         .logits_of = model::LogitsOf::kLastToken,
                                         .logits = state_->logits.data()};
    if (Status status = state_->engine->run({&input, 1}); !status.ok()) {
      if (length() == 0) state_->logits.clear();
      return std::move(status).error();
    }
    done += chunk.size();
    if (progress && !progress(static_cast<int64_t>(done), std::ssize(tokens))) {
      keep();
      break;
    }
  }
  return static_cast<int64_t>(done);
}

Status Session::append_with_logits(std::span<const int32_t> tokens, const LogitsSink& sink) {
  KVASIR_RETURN_IF_ERROR(state_->engine->check_tokens(tokens));
  KVASIR_RETURN_IF_ERROR(state_->engine->check_ram(length() + std::ssize(tokens)));
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
    state_->logits.assign(newest.begin(), newest.end());
    KVASIR_RETURN_IF_ERROR(sink(written));
  }
  return ok_status();
}

Result<Session> Session::fork() const {
  KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, state_->sequence.fork());
  return Session(std::make_unique<State>(
      State{state_->engine, std::move(sequence), state_->recorder, state_->logits}));
}

}  // namespace kvasir
