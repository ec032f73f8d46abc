#include "engine/token_loop.h"

#include <algorithm>

#include "base/stopwatch.h"
#include "engine/engine_state.h"
#include "engine/sampler.h"

namespace kvasir {
namespace {

bool is_end_of_text(const Engine::State& engine, int32_t id) {
  return std::find(engine.end_ids.begin(), engine.end_ids.end(), id) != engine.end_ids.end();
}

}  // namespace

Result<TokenLoopResult> run_token_loop(Engine& engine, Session& session,
                                       const GenerateOptions& options, const TokenSink& on_token) {
  KVASIR_RETURN_IF_ERROR(check(options.sampling));
  Sampler sampler(options.sampling, engine.info().vocab_size);
  TokenLoopResult result;
  const Stopwatch watch;
  // The end of the prompt, and below of the answer, is where a later turn or branch sets in.
  session.mark_resumable();
  while (std::ssize(result.tokens) < options.tokens_max) {
    if (options.interrupted != nullptr && options.interrupted->load(std::memory_order_relaxed)) {
      result.stop_reason = StopReason::kInterrupted;
      break;
    }
    if (!result.tokens.empty()) {
      KVASIR_RETURN_IF_ERROR(session.append({&result.tokens.back(), 1}));
    }
    KVASIR_ASSIGN_OR_RETURN(const int32_t id, sampler.sample(session.logits(), session.length()));
    result.tokens.push_back(id);
    if (result.tokens.size() == 1) result.first_token_ms = watch.elapsed_ms();
    if (options.stops_at_end_of_text && is_end_of_text(engine.state(), id)) {
      result.stop_reason = StopReason::kEndOfText;
      break;
    }
    if (on_token(id, result.stop_reason)) break;
  }
  session.mark_resumable();
  result.decode_ms = watch.elapsed_ms();
  return result;
}

}  // namespace kvasir
