#include "bench/engine_speed.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/check.h"
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

class SpeedBench {
 public:
  SpeedBench(Engine& engine, const SpeedOptions& options)
      : engine_(engine),
        options_(options),
        tokens_(random_tokens(options.depths.back() + options.measured_tokens,
                              engine.info().vocab_size)) {}

  Result<std::vector<Speed>> run() {
    for (int64_t s = 0; s < options_.session_count; ++s) {
      KVASIR_ASSIGN_OR_RETURN(Session session, engine_.new_session());
      sessions_.push_back(std::move(session));
    }
    std::vector<Speed> speeds;
    for (const int64_t depth : options_.depths) {
      KVASIR_ASSIGN_OR_RETURN(const Speed speed, measure_at(depth));
      speeds.push_back(speed);
    }
    return speeds;
  }

 private:
  std::span<const int32_t> tokens_at(int64_t begin, int64_t count) const {
    return std::span(tokens_).subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
  }

  Result<Speed> measure_at(int64_t depth) {
    for (Session& session : sessions_) {
      const int64_t held = session.length();
      KVASIR_RETURN_IF_ERROR(session.append(tokens_at(held, depth - held)));
    }
    Speed best;
    for (int i = 0; i < options_.repetition_count; ++i) {
      KVASIR_ASSIGN_OR_RETURN(const Speed speed, run_once(depth));
      if (speed.tokens_per_second > best.tokens_per_second) best = speed;
    }
    if (options_.meter == nullptr) return best;
    *options_.meter = {.is_on = true};
    const Result<Speed> measured = run_once(depth);
    options_.meter->is_on = false;
    KVASIR_RETURN_IF_ERROR(measured);
    best.cost = *options_.meter;
    return best;
  }

  // On forks, so that the sessions stay as deep as they are.
  Result<Speed> run_once(int64_t depth) {
    std::vector<Session> forks;
    for (const Session& session : sessions_) {
      KVASIR_ASSIGN_OR_RETURN(Session fork, session.fork());
      forks.push_back(std::move(fork));
    }
    const Stopwatch watch;
    KVASIR_RETURN_IF_ERROR(options_.what == SpeedOf::kPrefill ? prefill(depth, forks)
                                                              : decode(depth, forks));
    const double ms = watch.elapsed_ms();
    const int64_t count = options_.measured_tokens * options_.session_count;
    return Speed{.depth_tokens = depth,
                 .tokens_per_second = static_cast<double>(count) * 1000 / ms,
                 .milliseconds = ms,
                 .kv_bytes = engine_.kv_bytes()};
  }

  Status prefill(int64_t depth, std::span<Session> sessions) {
    for (Session& session : sessions) {
      KVASIR_RETURN_IF_ERROR(session.append(tokens_at(depth, options_.measured_tokens)));
    }
    return ok_status();
  }

  Status decode(int64_t depth, std::span<Session> sessions) {
    std::vector<BatchInput> inputs(sessions.size());
    for (int64_t step = 0; step < options_.measured_tokens; ++step) {
      for (size_t s = 0; s < inputs.size(); ++s)
        inputs[s] = {&sessions[s], tokens_at(depth + step, 1)};
      KVASIR_RETURN_IF_ERROR(engine_.append_batch(inputs));
    }
    return ok_status();
  }

  Engine& engine_;
  const SpeedOptions& options_;
  std::vector<int32_t> tokens_;
  std::vector<Session> sessions_;  // as deep as is measured next
};

}  // namespace

Result<std::vector<Speed>> measure_speed(Engine& engine, const SpeedOptions& options) {
  KVASIR_CHECK(!options.depths.empty() && std::ranges::is_sorted(options.depths),
               "depths, the least first");
  return SpeedBench(engine, options).run();
}

}  // namespace kvasir::bench
