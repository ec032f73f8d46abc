#include "bench/remote_speed.h"

#include <sys/resource.h>

#include <chrono>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "base/process_memory.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "bench/flash_cache.h"
#include "bench/scratch_folder.h"
#include "kv/layout.h"
#include "persist/prefix_chain.h"
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

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// REQUIRES: the same bounds.
void add(const Histogram& part, Histogram& sum) {
  if (sum.counts.empty()) sum = make_histogram(part.bounds);
  for (size_t i = 0; i < sum.counts.size(); ++i) sum.counts[i] += part.counts[i];
  sum.sum += part.sum;
  sum.count += part.count;
}

void add_calls(const RemoteMetrics& metrics, RemoteTimes& times) {
  for (const RemoteEndpointMetrics& endpoint : metrics.endpoints) {
    for (size_t i = 0; i < kRemoteOperationCount; ++i) {
      add(endpoint.seconds[i], times.seconds[i]);
    }
  }
}

void note_bringing(const RemoteMetrics& metrics, RemoteTimes& times) {
  times.read_bytes = read_bytes(metrics);
  times.round_trips = metrics.round_trips;
  add_calls(metrics, times);
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
    add_calls(first.remote_metrics(), times);
  }
  options.store->directory = folder.path() + "/second";
  {
    KVASIR_ASSIGN_OR_RETURN(Engine second, Engine::open(options));
    const double cpu_before_s = cpu_s();
    KVASIR_ASSIGN_OR_RETURN(const auto brought, first_token(second, tokens));
    times.cpu_s = cpu_s() - cpu_before_s;
    times.remote_ms = brought.first;
    times.remote_tokens = brought.second.remote_tokens;
    note_bringing(second.remote_metrics(), times);
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
                                                         const RemoteOptions& remote,
                                                         int64_t ram_bytes = 0) {
  const auto layout = flash_layout();
  KVASIR_ASSIGN_OR_RETURN(auto persistence,
                          persist::Persistence::open(store_in(directory, remote), {}, layout,
                                                     std::make_shared<kv::MemoryAccount>()));
  if (persistence->remote() != nullptr) persistence->remote()->expect_speed(kFlashTokensPerS);
  KVASIR_RETURN_IF_ERROR(set_flash_ram_budget(*persistence, ram_bytes));
  return persistence;
}

// Reads as many cold rows as a token of the text picks, layer by layer.
Status read_picked_rows(persist::Persistence& persistence, const kv::Sequence& sequence) {
  if (persistence.residency() == nullptr || sequence.hot_part_count() == 0) return ok_status();
  kv::RowCache& rows = *persistence.residency()->rows();
  const kv::CacheLayout& layout = sequence.layout();
  const auto blocks = sequence.sealed_blocks();
  Random random(4);
  for (const kv::StreamLayout& stream : layout.streams) {
    if (!stream.is_cold()) continue;
    rows.begin_group();
    for (int64_t pick = 0; pick < kFlashTopK; ++pick) {
      const auto& block = blocks[static_cast<size_t>(random.below(std::ssize(blocks)))];
      const int64_t row = random.below(layout.cold_bytes / layout.cold_row_bytes);
      if (!block->cold_part) continue;
      rows.ask(*block->cold_part, layout.hot_bytes + row * layout.cold_row_bytes);
    }
    rows.start();
    KVASIR_RETURN_IF_ERROR(rows.finish());
  }
  return ok_status();
}

// What came in part comes whole, so that the own store can be measured.
void wait_for_blocks(persist::Persistence& persistence, std::span<const int32_t> tokens) {
  const auto keys = persist::block_keys(persistence.root_of(""), tokens.first(tokens.size() - 1));
  const store::RecordId last{store::Kind::kBlock, keys.back()};
  const auto latest = std::chrono::steady_clock::now() + std::chrono::minutes(10);
  while (!persistence.store().find(last) && std::chrono::steady_clock::now() < latest) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// Appends made-up rows of the tokens behind those that it has; a text ends there.
Status make_up(persist::Persistence& persistence, persist::Resumed& live,
               std::span<const int32_t> tokens) {
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
  return ok_status();
}

void write_all(persist::Persistence& persistence) {
  persistence.drain();
  persistence.remote()->tier().flush(std::chrono::steady_clock::now() + std::chrono::minutes(10));
}

using Prompts = std::vector<std::vector<int32_t>>;

// Writes the prompts to the engines.
Status write_flash(const std::string& directory, const RemoteOptions& remote,
                   const Prompts& prompts, RemoteTimes& times) {
  KVASIR_ASSIGN_OR_RETURN(const auto persistence, open_flash(directory, remote));
  for (const std::vector<int32_t>& tokens : prompts) {
    KVASIR_ASSIGN_OR_RETURN(persist::Resumed live,
                            persistence->resume(persistence->root_of(""), {}, 0));
    KVASIR_RETURN_IF_ERROR(make_up(*persistence, live, tokens));
    write_all(*persistence);
  }
  add_calls(persistence->remote()->tier().metrics(), times);
  return ok_status();
}

// Brings all at a time and resumes what it can. Returns the tokens.
Result<int64_t> resume_flash(persist::Persistence& persistence,
                             std::span<const std::vector<int32_t>> prompts, RemoteTimes& times) {
  const store::Key root = persistence.root_of("");
  const double cpu_before_s = cpu_s();
  forget_rss_peak();
  const int64_t rss_before = rss_bytes();
  std::vector<std::shared_ptr<store::remote::Fetch>> fetches;
  for (const auto& tokens : prompts) {
    fetches.push_back(persistence.begin_fetch(root, tokens, std::ssize(tokens) - 1));
  }
  for (const auto& fetch : fetches) {
    if (fetch) fetch->wait_until(std::chrono::steady_clock::now() + std::chrono::hours(1));
  }
  times.ram_bytes = rss_peak_bytes() - rss_before;
  int64_t resumed_tokens = 0;
  for (const auto& tokens : prompts) {
    KVASIR_ASSIGN_OR_RETURN(const persist::Resumed resumed,
                            persistence.resume(root, tokens, std::ssize(tokens) - 1));
    KVASIR_RETURN_IF_ERROR(read_picked_rows(persistence, resumed.sequence));
    resumed_tokens += resumed.sequence.length();
  }
  times.cpu_s = cpu_s() - cpu_before_s;
  return resumed_tokens;
}

Result<RemoteTimes> measure_flash_once(const RemoteOrder& order, int64_t token_count) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(order.directory));
  Prompts prompts;
  for (int64_t i = 0; i < order.resumes; ++i) {
    prompts.push_back(fresh_tokens(token_count, kFlashVocabSize));
  }
  RemoteTimes times{
      .tokens = token_count,
      .cold_ms = 1000 * static_cast<double>(order.resumes * token_count) / kFlashTokensPerS};
  RemoteOptions writing = order.remote;
  writing.new_tokens_min = 0;
  KVASIR_RETURN_IF_ERROR(write_flash(folder.path() + "/first", writing, prompts, times));
  {
    KVASIR_ASSIGN_OR_RETURN(const auto second,
                            open_flash(folder.path() + "/second", order.remote, order.ram_bytes));
    const Stopwatch watch;
    KVASIR_ASSIGN_OR_RETURN(times.remote_tokens, resume_flash(*second, prompts, times));
    times.remote_ms = watch.elapsed_ms();
    note_bringing(second->remote()->tier().metrics(), times);
    for (const auto& tokens : prompts) wait_for_blocks(*second, tokens);
  }
  KVASIR_ASSIGN_OR_RETURN(const auto again, open_flash(folder.path() + "/second", {}));
  const Stopwatch watch;
  const auto& first = prompts.front();
  KVASIR_ASSIGN_OR_RETURN(const persist::Resumed local,
                          again->resume(again->root_of(""), first, std::ssize(first) - 1));
  times.local_ms = watch.elapsed_ms();
  const int64_t expected = order.resumes * (token_count - kv::kBlockTokens);
  if (times.remote_tokens < expected) return not_found(expected);
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

Result<RemoteConversation> measure_remote_conversation(const RemoteOrder& order, int64_t turns) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(order.directory));
  KVASIR_ASSIGN_OR_RETURN(const auto persistence, open_flash(folder.path(), order.remote));
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live,
                          persistence->resume(persistence->root_of(""), {}, 0));
  const std::vector<int32_t> tokens =
      fresh_tokens(turns * (kTurnPromptTokens + kTurnAnswerTokens), kFlashVocabSize);
  int64_t length = 0;
  for (int64_t turn = 0; turn < turns; ++turn) {
    for (const int64_t more : {kTurnPromptTokens, kTurnAnswerTokens}) {
      length += more;
      KVASIR_RETURN_IF_ERROR(
          make_up(*persistence, live, std::span(tokens).first(static_cast<size_t>(length))));
    }
    write_all(*persistence);
  }
  RemoteConversation conversation{
      .turns = turns,
      .tokens = length,
      .store_bytes = persistence->metrics()[StoreMetric::kWrittenBytes]};
  for (const auto& endpoint : persistence->remote()->tier().metrics().endpoints) {
    conversation.written_objects += endpoint.written_objects;
    conversation.written_bytes += endpoint.written_bytes;
  }
  return conversation;
}

}  // namespace kvasir::bench
