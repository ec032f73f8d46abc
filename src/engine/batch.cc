// append_batch makes one step of several sessions. Each of them is a part of the batch.
#include <algorithm>

#include "base/check.h"
#include "engine/engine_state.h"

namespace kvasir {
namespace {

Error bad_batch(const char* what) { return Error{.kind = ErrorKind::kUsage, .what = what}; }

}  // namespace

Status Engine::State::append_batch(std::span<const BatchInput> inputs) {
  KVASIR_RETURN_IF_ERROR(check_batch(inputs));
  fill_batch(inputs);
  sessions.begin_operation();
  for (const BatchPart& part : batch) sessions.mark_used(*part.session);
  for (const BatchPart& part : batch) {
    KVASIR_RETURN_IF_ERROR(begin_append(*part.session, part.tokens));
  }
  // One pass, or two where a session has a boundary state to be taken on the way.
  while (!batch.empty()) KVASIR_RETURN_IF_ERROR(run_batch_pass());
  return ok_status();
}

Status Engine::State::check_batch(std::span<const BatchInput> inputs) {
  int64_t token_count = 0;
  for (const BatchInput& input : inputs) {
    if (input.session == nullptr || !input.session->state_) {
      return bad_batch("a part of a batch has no session");
    }
    if (input.session->state_->engine != this) {
      return bad_batch("a session of a batch belongs to another engine");
    }
    if (input.tokens.empty()) return bad_batch("a session of a batch has no new tokens");
    if (!input.all_logits.empty() &&
        std::ssize(input.all_logits) != std::ssize(input.tokens) * info.vocab_size) {
      return bad_batch("a session of a batch has no room for the logits of its tokens");
    }
    token_count += std::ssize(input.tokens);
  }
  const int64_t token_count_max = model->options().pass_tokens_max;
  if (token_count > token_count_max) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a batch is more than one pass takes",
                 .expected = "at most " + std::to_string(token_count_max) + " tokens in all",
                 .found = std::to_string(token_count)};
  }
  batch_sessions.clear();
  for (const BatchInput& input : inputs) batch_sessions.push_back(input.session->state_.get());
  std::sort(batch_sessions.begin(), batch_sessions.end());
  if (std::adjacent_find(batch_sessions.begin(), batch_sessions.end()) != batch_sessions.end()) {
    return bad_batch("a session occurs twice in a batch");
  }
  return ok_status();
}

// The tokens are copied: they may be those of sessions that grow.
void Engine::State::fill_batch(std::span<const BatchInput> inputs) {
  batch_tokens.clear();
  for (const BatchInput& input : inputs) {
    batch_tokens.insert(batch_tokens.end(), input.tokens.begin(), input.tokens.end());
  }
  batch.clear();
  size_t begin = 0;
  for (const BatchInput& input : inputs) {
    batch.push_back({.session = input.session->state_.get(),
                     .tokens = std::span(batch_tokens).subspan(begin, input.tokens.size()),
                     .all_logits = input.all_logits});
    begin += input.tokens.size();
  }
}

Status Engine::State::run_batch_pass() {
  const auto vocab = static_cast<size_t>(info.vocab_size);
  batch_pass.clear();
  for (BatchPart& part : batch) {
    const auto tokens = part.tokens.first(part.session->pass_tokens(part.tokens.size()));
    const bool wants_all = !part.all_logits.empty();
    batch_pass.push_back(
        {.session = part.session,
         .tokens = tokens,
         .room_tokens = std::ssize(part.tokens),
         .logits_of = wants_all ? model::LogitsOf::kAllTokens : model::LogitsOf::kLastToken,
         .logits = wants_all ? part.all_logits.data() : part.session->logits_memory()});
    part.tokens = part.tokens.subspan(tokens.size());
    if (wants_all) part.all_logits = part.all_logits.subspan(tokens.size() * vocab);
  }
  KVASIR_RETURN_IF_ERROR(run(batch_pass));
  for (const PassInput& input : batch_pass) {
    if (input.logits_of == model::LogitsOf::kAllTokens) {
      const float* newest = input.logits + (input.tokens.size() - 1) * vocab;
      std::copy(newest, newest + vocab, input.session->logits_memory());
    }
    input.session->has_logits = true;
  }
  std::erase_if(batch, [](const BatchPart& part) { return part.tokens.empty(); });
  return ok_status();
}

}  // namespace kvasir
