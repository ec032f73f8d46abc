#include "bench/codec_speed.h"

#include <algorithm>
#include <random>
#include <utility>

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

Error interrupted() {
  return {.kind = ErrorKind::kInterrupted, .what = "stopped before all was measured"};
}

// Calls progress behind each step of so many.
class Steps {
 public:
  Steps(int64_t all, const CodecProgress& progress) : all_(all), progress_(progress) {}
  Status step() {
    ++done_;
    if (progress_ && !progress_(done_, all_)) return interrupted();
    return ok_status();
  }

 private:
  int64_t done_ = 0;
  int64_t all_;
  const CodecProgress& progress_;
};

// Tokens per second of so many single steps in a fork, which is dropped.
Result<double> turn(const Session& held, std::span<const int32_t> tokens) {
  KVASIR_ASSIGN_OR_RETURN(Session session, held.fork());
  const Stopwatch watch;
  for (size_t i = 0; i < tokens.size(); ++i) {
    KVASIR_RETURN_IF_ERROR(session.append(tokens.subspan(i, 1)));
  }
  return static_cast<double>(tokens.size()) * 1000 / watch.elapsed_ms();
}

CodecSpeed summed_up(const Engine& engine, const std::string& precision, int64_t context,
                     std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  CodecSpeed speed{.precision = precision,
                   .context_tokens = context,
                   .tokens_per_second = rates[rates.size() / 2],
                   .tokens_per_second_min = rates.front(),
                   .tokens_per_second_max = rates.back(),
                   .block_bytes = engine.info().kv_block_bytes};
  const double bytes_per_token =
      static_cast<double>(speed.block_bytes) / static_cast<double>(engine.info().kv_block_tokens);
  speed.read_bytes_per_second =
      speed.tokens_per_second * bytes_per_token * static_cast<double>(context);
  return speed;
}

Status measure_context(std::span<Engine> engines, const CodecSpeedOptions& options, int64_t context,
                       Steps& steps, std::vector<CodecSpeed>& speeds) {
  const auto tokens =
      random_tokens(context + options.measured_tokens, engines.front().info().vocab_size);
  const auto held_tokens = std::span(tokens).first(static_cast<size_t>(context));
  std::vector<Session> held;
  for (Engine& engine : engines) {
    KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
    KVASIR_RETURN_IF_ERROR(session.append(held_tokens));
    held.push_back(std::move(session));
    KVASIR_RETURN_IF_ERROR(steps.step());
  }
  std::vector<std::vector<double>> rates(engines.size());
  for (int round = 0; round < options.repetition_count; ++round) {
    for (size_t i = 0; i < engines.size(); ++i) {
      KVASIR_ASSIGN_OR_RETURN(
          const double rate,
          turn(held[i], std::span(tokens).subspan(static_cast<size_t>(context))));
      rates[i].push_back(rate);
      KVASIR_RETURN_IF_ERROR(steps.step());
    }
  }
  const size_t first = speeds.size();
  for (size_t i = 0; i < engines.size(); ++i) {
    speeds.push_back(summed_up(engines[i], options.precisions[i], context, std::move(rates[i])));
    speeds.back().ratio = speeds.back().tokens_per_second / speeds[first].tokens_per_second;
  }
  return ok_status();
}

}  // namespace

Result<std::vector<CodecSpeed>> measure_codec_speed(const CodecSpeedOptions& options,
                                                    const CodecProgress& progress) {
  std::vector<Engine> engines;
  for (const std::string& precision : options.precisions) {
    EngineOptions wanted = options.engine;
    wanted.kv = precision;
    KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(wanted));
    engines.push_back(std::move(engine));
  }
  Steps steps(
      std::ssize(engines) * std::ssize(options.context_tokens) * (1 + options.repetition_count),
      progress);
  std::vector<CodecSpeed> speeds;
  for (const int64_t context : options.context_tokens) {
    KVASIR_RETURN_IF_ERROR(measure_context(engines, options, context, steps, speeds));
  }
  return speeds;
}

}  // namespace kvasir::bench
