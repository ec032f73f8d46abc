#include "bench/remote_speed.h"

#include <chrono>
#include <optional>
#include <random>
#include <utility>

#include "base/random.h"
#include "base/stopwatch.h"
#include "bench/flash_cache.h"
#include "bench/scratch_folder.h"
#include "kv/layout.h"
#include "persist/remote_chains.h"

namespace kvasir::bench {
namespace {

Error not_found(int64_t tokens) {
  return Error{.kind = ErrorKind::kIo,
               .what = "the remote tier did not give back what was written to it",
               .expected = std::to_string(tokens) + " tokens",
               .remedy = "its engine may be full or too slow"};
}

// Prompts of earlier measurements are still at the engines.
std::vector<int32_t> fresh_tokens(int64_t count, int64_t vocab_size) {
  std::random_device seed;
  Random random(seed());
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.below(vocab_size));
  return tokens;
}

int64_t read_bytes(const RemoteMetrics& metrics) {
  int64_t bytes = 0;
  for (const RemoteEndpointMetrics& endpoint : metrics.endpoints) bytes += endpoint.read_bytes;
  return bytes;
}

StoreOptions store_in(const std::string& directory, const RemoteOptions& remote) {
  return {.directory = directory,
          .min_free_bytes = 0,
          .durability = StoreDurability::kNone,
          .remote = remote};
}

// ---- a model ----

// Resumes and computes the rest. Returns the milliseconds, and whence the tokens came.
Result<std::pair<double, ReusedTokens>> first_token(Engine& engine,
                                                    std::span<const int32_t> tokens) {
  const Stopwatch watch;
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.resume(tokens));
  const auto rest = tokens.subspan(static_cast<size_t>(session.length()));
  KVASIR_RETURN_IF_ERROR(session.append(rest));
  const double ms = watch.elapsed_ms();
  session.mark_resumable();
  return std::pair(ms, session.reused());
}

Result<RemoteTimes> measure_model_once(EngineOptions options, const RemoteOrder& order,
                                       int64_t token_count) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(order.directory));
  RemoteTimes times{.tokens = token_count};
  std::vector<int32_t> tokens;
  {
    options.store = store_in(folder.path() + "/first", order.remote);
    options.store->remote.new_tokens_min = 0;
    KVASIR_ASSIGN_OR_RETURN(Engine first, Engine::open(options));
    tokens = fresh_tokens(token_count, first.info().vocab_size);
    KVASIR_ASSIGN_OR_RETURN(const auto computed, first_token(first, tokens));
    times.cold_ms = computed.first;
    KVASIR_RETURN_IF_ERROR(first.flush_store());
  }
  options.store->directory = folder.path() + "/second";
  {
    KVASIR_ASSIGN_OR_RETURN(Engine second, Engine::open(options));
    KVASIR_ASSIGN_OR_RETURN(const auto brought, first_token(second, tokens));
    times.remote_ms = brought.first;
    times.remote_tokens = brought.second.remote_tokens;
    times.read_bytes = read_bytes(second.remote_metrics());
    times.round_trips = second.remote_metrics().round_trips;
    KVASIR_RETURN_IF_ERROR(second.flush_store());
  }
  options.store->remote = {};
  KVASIR_ASSIGN_OR_RETURN(Engine again, Engine::open(options));
  KVASIR_ASSIGN_OR_RETURN(const auto local, first_token(again, tokens));
  times.local_ms = local.first;
  if (times.remote_tokens + kv::kBlockTokens < token_count) return not_found(token_count);
  return times;
}

// ---- the Flash geometry ----

Result<std::unique_ptr<persist::Persistence>> open_flash(const std::string& directory,
                                                         const RemoteOptions& remote) {
  const auto layout = flash_layout();
  KVASIR_ASSIGN_OR_RETURN(auto persistence,
                          persist::Persistence::open(store_in(directory, remote), {}, layout,
                                                     std::make_shared<kv::MemoryAccount>()));
  if (persistence->remote() != nullptr) persistence->remote()->expect_speed(kFlashTokensPerS);
  return persistence;
}

Status make_up(persist::Persistence& persistence, std::span<const int32_t> tokens) {
  const store::Key root = persistence.root_of("");
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live, persistence.resume(root, {}, 0));
  Random random(3);
  const kv::CacheLayout& layout = live.sequence.layout();
  const auto write = [&](int64_t begin, int64_t end) -> Status {
    for_each_new_row(layout, begin, end, [&](int64_t stream, int64_t row) {
      const int64_t bytes = layout.streams[static_cast<size_t>(stream)].row_bytes;
      fill_random(random, {live.sequence.writable_row(stream, row), static_cast<size_t>(bytes)});
    });
    return ok_status();
  };
  while (live.sequence.length() < std::ssize(tokens)) {
    const int64_t begin = live.sequence.length();
    const int64_t end =
        std::min(begin + kFlashPassTokens, live.recorder.pass_end(begin, std::ssize(tokens)));
    KVASIR_RETURN_IF_ERROR(append_pass(
        persistence, live,
        tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), write));
  }
  live.recorder.mark_resumable();
  persistence.drain();
  return ok_status();
}

// Resumes what it can. Returns the milliseconds and the tokens.
Result<std::pair<double, int64_t>> resume_flash(persist::Persistence& persistence,
                                                std::span<const int32_t> tokens) {
  const store::Key root = persistence.root_of("");
  const int64_t length_max = std::ssize(tokens) - 1;
  const Stopwatch watch;
  if (const auto fetch = persistence.begin_fetch(root, tokens, length_max)) {
    fetch->wait_until(std::chrono::steady_clock::now() + std::chrono::hours(1));
  }
  KVASIR_ASSIGN_OR_RETURN(const persist::Resumed resumed,
                          persistence.resume(root, tokens, length_max));
  return std::pair(watch.elapsed_ms(), resumed.sequence.length());
}

Result<RemoteTimes> measure_flash_once(const RemoteOrder& order, int64_t token_count) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(order.directory));
  const std::vector<int32_t> tokens = fresh_tokens(token_count, kFlashVocabSize);
  RemoteTimes times{.tokens = token_count,
                    .cold_ms = 1000 * static_cast<double>(token_count) / kFlashTokensPerS};
  RemoteOptions writing = order.remote;
  writing.new_tokens_min = 0;
  {
    KVASIR_ASSIGN_OR_RETURN(const auto first, open_flash(folder.path() + "/first", writing));
    KVASIR_RETURN_IF_ERROR(make_up(*first, tokens));
    first->remote()->tier().flush(std::chrono::steady_clock::now() + std::chrono::minutes(10));
  }
  {
    KVASIR_ASSIGN_OR_RETURN(const auto second, open_flash(folder.path() + "/second", order.remote));
    KVASIR_ASSIGN_OR_RETURN(const auto brought, resume_flash(*second, tokens));
    times.remote_ms = brought.first;
    times.remote_tokens = brought.second;
    const RemoteMetrics metrics = second->remote()->tier().metrics();
    times.read_bytes = read_bytes(metrics);
    times.round_trips = metrics.round_trips;
  }
  KVASIR_ASSIGN_OR_RETURN(const auto again, open_flash(folder.path() + "/second", {}));
  KVASIR_ASSIGN_OR_RETURN(const auto local, resume_flash(*again, tokens));
  times.local_ms = local.first;
  if (times.remote_tokens + kv::kBlockTokens < token_count) return not_found(token_count);
  return times;
}

}  // namespace

Result<std::vector<RemoteTimes>> measure_remote_model(const EngineOptions& options,
                                                      const RemoteOrder& order) {
  std::vector<RemoteTimes> all;
  for (const int64_t tokens : order.token_counts) {
    KVASIR_ASSIGN_OR_RETURN(const RemoteTimes times, measure_model_once(options, order, tokens));
    all.push_back(times);
  }
  return all;
}

Result<std::vector<RemoteTimes>> measure_remote_flash(const RemoteOrder& order) {
  std::vector<RemoteTimes> all;
  for (const int64_t tokens : order.token_counts) {
    KVASIR_ASSIGN_OR_RETURN(const RemoteTimes times, measure_flash_once(order, tokens));
    all.push_back(times);
  }
  return all;
}

}  // namespace kvasir::bench
