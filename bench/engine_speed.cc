#include "bench/engine_speed.h"

#include <algorithm>
#include <random>
#include <vector>

#include "base/stopwatch.h"

namespace kvasir::bench {
namespace {

std::vector<int32_t> random_tokens(int64_t count, int64_t vocab_size) {
  std::mt19937_64 random(1);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) {
    token = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab_size));
  }
  return tokens;
}

Speed faster(const Speed& a, const Speed& b) {
  return a.tokens_per_second > b.tokens_per_second ? a : b;
}

Result<Speed> prefill_once(Engine& engine, const SpeedOptions& options,
                           std::span<const int32_t> tokens) {
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  KVASIR_RETURN_IF_ERROR(session.append(tokens.first(static_cast<size_t>(options.context_tokens))));
  const Stopwatch watch;
  KVASIR_RETURN_IF_ERROR(
      session.append(tokens.subspan(static_cast<size_t>(options.context_tokens))));
  const double ms = watch.elapsed_ms();
  return Speed{.tokens_per_second = static_cast<double>(options.measured_tokens) * 1000 / ms,
               .milliseconds = ms,
               .kv_bytes = engine.kv_bytes()};
}

Result<Speed> decode_once(Engine& engine, const SpeedOptions& options,
                          std::span<const int32_t> tokens) {
  std::vector<Session> sessions;
  for (int64_t s = 0; s < options.session_count; ++s) {
    KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
    KVASIR_RETURN_IF_ERROR(
        session.append(tokens.first(static_cast<size_t>(options.context_tokens))));
    sessions.push_back(std::move(session));
  }
  std::vector<BatchInput> inputs(sessions.size());
  const Stopwatch watch;
  for (int64_t step = 0; step < options.measured_tokens; ++step) {
    const auto next = tokens.subspan(static_cast<size_t>(options.context_tokens + step), 1);
    for (size_t s = 0; s < sessions.size(); ++s) inputs[s] = {&sessions[s], next};
    KVASIR_RETURN_IF_ERROR(engine.append_batch(inputs));
  }
  const double ms = watch.elapsed_ms();
  const auto steps = static_cast<double>(options.measured_tokens);
  return Speed{.tokens_per_second = steps * static_cast<double>(options.session_count) * 1000 / ms,
               .milliseconds = ms,
               .kv_bytes = engine.kv_bytes()};
}

template <class Once>
Result<Speed> best_of(Engine& engine, const SpeedOptions& options, Once once) {
  const auto tokens =
      random_tokens(options.context_tokens + options.measured_tokens, engine.info().vocab_size);
  Speed best;
  for (int i = 0; i < options.repetition_count; ++i) {
    KVASIR_ASSIGN_OR_RETURN(const Speed speed, once(engine, options, tokens));
    best = faster(best, speed);
  }
  return best;
}

}  // namespace

Result<Speed> measure_prefill(Engine& engine, const SpeedOptions& options) {
  return best_of(engine, options, prefill_once);
}

Result<Speed> measure_decode(Engine& engine, const SpeedOptions& options) {
  return best_of(engine, options, decode_once);
}

}  // namespace kvasir::bench
