#include "bench/store_speed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/random.h"
#include "base/stopwatch.h"
#include "base/thread_pool.h"
#include "bench/flash_cache.h"
#include "bench/scratch_folder.h"
#include "store/block_store.h"

namespace kvasir::bench {
namespace {

constexpr int kReadThreads = 8;

int64_t snapshot_bytes(int64_t tokens) {
  return 23'995'788 + 4 * tokens + 53'760 * (tokens / 4) + 40'960 * (tokens / 128);
}

// One timeline whose rows are random bytes: nothing in them can be squeezed or shared by chance.
class Conversation {
 public:
  Conversation(persist::Persistence& persistence, persist::Resumed begin)
      : persistence_(persistence), live_(std::move(begin)) {}

  // The prompt or the answer of a turn.
  Status append(int64_t token_count) {
    std::vector<int32_t> tokens(static_cast<size_t>(token_count));
    draw_tokens(random_, tokens);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    std::span<const int32_t> left(tokens);
    while (!left.empty()) {
      const int64_t begin = live_.sequence.length();
      const int64_t end = live_.recorder.pass_end(begin, begin + std::ssize(left));
      const auto count = static_cast<size_t>(std::min<int64_t>(end - begin, kFlashPassTokens));
      KVASIR_RETURN_IF_ERROR(append_pass(
          persistence_, live_, left.first(count),
          [&](int64_t row_begin, int64_t row_end) { return write_rows(row_begin, row_end); }));
      left = left.subspan(count);
    }
    live_.recorder.mark_resumable();
    return ok_status();
  }

  std::span<const int32_t> tokens() const { return tokens_; }

 private:
  Status write_rows(int64_t begin, int64_t end) {
    const kv::CacheLayout& layout = live_.sequence.layout();
    for_each_new_row(layout, begin, end, [&](int64_t stream, int64_t row) {
      const int64_t bytes = layout.streams[static_cast<size_t>(stream)].row_bytes;
      fill_random(random_, {live_.sequence.writable_row(stream, row), static_cast<size_t>(bytes)});
    });
    return ok_status();
  }

  persist::Persistence& persistence_;
  persist::Resumed live_;
  std::vector<int32_t> tokens_;
  Random random_{1};
};

Result<std::unique_ptr<persist::Persistence>> open_persistence(const std::string& directory) {
  return open_flash_persistence(directory, flash_layout(), std::make_shared<kv::MemoryAccount>(),
                                0);
}

Status converse(const ConversationOptions& options, const std::string& directory,
                ConversationCost& cost, std::vector<int32_t>& tokens) {
  KVASIR_ASSIGN_OR_RETURN(auto persistence, open_persistence(directory));
  {
    KVASIR_ASSIGN_OR_RETURN(persist::Resumed begin,
                            persistence->resume(persistence->root_of(""), {}, 0));
    Conversation conversation(*persistence, std::move(begin));
    const int64_t later = options.total_tokens - options.first_prompt_tokens;
    int64_t done = 0;
    for (int64_t turn = 0; turn < options.turn_count; ++turn) {
      const int64_t end = options.first_prompt_tokens + later * (turn + 1) / options.turn_count;
      const int64_t answer =
          static_cast<int64_t>(options.answer_share * static_cast<double>(later) /
                               static_cast<double>(options.turn_count));
      KVASIR_RETURN_IF_ERROR(conversation.append(end - done - answer));
      KVASIR_RETURN_IF_ERROR(conversation.append(answer));
      done = end;
    }
    tokens.assign(conversation.tokens().begin(), conversation.tokens().end());
  }
  persistence->drain();
  if (auto error = persistence->take_error()) return std::move(*error);
  const store::StoreSize size = persistence->store().size();
  for (const store::IndexEntry& entry : persistence->store().entries()) {
    ++(entry.info.id.kind == store::Kind::kState ? cost.state_count : cost.block_count);
  }
  cost.written_bytes = persistence->metrics()[StoreMetric::kWrittenBytes];
  cost.file_bytes = size.file_bytes;
  const std::shared_ptr<const kv::CacheLayout> layout = flash_layout();
  cost.cache_bytes = cost.block_count * layout->block_bytes() + layout->boundary_state_bytes();
  return ok_status();
}

void add_snapshot_scheme(const ConversationOptions& options, ConversationCost& cost) {
  constexpr int64_t kInterval = 10'240;
  constexpr int64_t kColdMax = 30'000;
  constexpr int64_t kColdAlign = 2'048;
  if (options.first_prompt_tokens <= kColdMax) {
    cost.snapshot_written_bytes +=
        snapshot_bytes((options.first_prompt_tokens - 32) / kColdAlign * kColdAlign);
  }
  for (int64_t at = kInterval; at < options.total_tokens; at += kInterval) {
    cost.snapshot_written_bytes += snapshot_bytes(at);
  }
  cost.snapshot_written_bytes += snapshot_bytes(options.total_tokens);
  cost.snapshot_read_bytes = snapshot_bytes(options.total_tokens);
}

// ---- reading back ----

void drop_from_page_cache(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    fdatasync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

struct Extent {
  std::string path;
  int64_t offset_bytes = 0;
  int64_t bytes = 0;
};

// Bytes per second of plain reads of the same places.
Result<double> read_plain(const std::vector<Extent>& extents) {
  std::vector<int> files;
  files.reserve(extents.size());
  for (const Extent& extent : extents) files.push_back(open(extent.path.c_str(), O_RDONLY));
  std::vector<std::vector<char>> buffers(kReadThreads);
  std::atomic<int64_t> bytes{0};
  ThreadPool pool(kReadThreads);
  const Stopwatch watch;
  pool.parallel_for(std::ssize(extents), [&](int64_t i, int worker) {
    const Extent& extent = extents[static_cast<size_t>(i)];
    std::vector<char>& buffer = buffers[static_cast<size_t>(worker)];
    buffer.resize(static_cast<size_t>(extent.bytes));
    int64_t done = 0;
    while (done < extent.bytes) {
      const ssize_t count =
          pread(files[static_cast<size_t>(i)], buffer.data() + done,
                static_cast<size_t>(extent.bytes - done), extent.offset_bytes + done);
      if (count <= 0) return;
      done += count;
    }
    bytes += done;
  });
  const double seconds = watch.elapsed_ms() / 1000;
  int64_t wanted = 0;
  for (size_t i = 0; i < extents.size(); ++i) {
    close(files[i]);
    wanted += extents[i].bytes;
  }
  if (bytes != wanted)
    return Error{.kind = ErrorKind::kIo, .what = "plain reads failed", .where = extents[0].path};
  return static_cast<double>(wanted) / seconds;
}

// The same for a resume: verified blocks in memory, ready to go on.
Result<double> read_restored(const std::string& directory, std::span<const int32_t> tokens,
                             int64_t& read_bytes) {
  KVASIR_ASSIGN_OR_RETURN(auto persistence, open_persistence(directory));
  const Stopwatch watch;
  KVASIR_ASSIGN_OR_RETURN(
      const persist::Resumed resumed,
      persistence->resume(persistence->root_of(""), tokens, std::ssize(tokens)));
  const double seconds = watch.elapsed_ms() / 1000;
  const StoreMetrics metrics = persistence->metrics();
  read_bytes = metrics[StoreMetric::kDiskReadBytes];
  if (resumed.sequence.length() + kv::kBlockTokens <= std::ssize(tokens) ||
      metrics[StoreMetric::kVerifyFailures] != 0) {
    return Error{
        .kind = ErrorKind::kIo, .what = "the conversation was not found whole", .where = directory};
  }
  return static_cast<double>(read_bytes) / seconds;
}

Result<std::vector<Extent>> extents_of(const std::string& directory) {
  KVASIR_ASSIGN_OR_RETURN(auto persistence, open_persistence(directory));
  std::vector<store::IndexEntry> entries = persistence->store().entries();
  std::erase_if(entries, [](const store::IndexEntry& entry) {
    return entry.info.id.kind == store::Kind::kState;
  });
  std::sort(entries.begin(), entries.end(),
            [](const store::IndexEntry& a, const store::IndexEntry& b) {
              return a.info.token_begin < b.info.token_begin;
            });
  std::vector<Extent> extents;
  extents.reserve(entries.size());
  for (const store::IndexEntry& entry : entries) {
    extents.push_back({directory + "/" + store::segment_file_name(entry.segment_number),
                       entry.offset_bytes + store::kPageBytes, entry.info.payload_bytes});
  }
  return extents;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

struct ReadPairs {
  std::vector<double> restored;
  std::vector<double> plain;

  ReadSpeed summary() const {
    std::vector<double> ratios(restored.size());
    for (size_t i = 0; i < ratios.size(); ++i) ratios[i] = restored[i] / plain[i];
    return {.restored = quantile(restored, 0.5),
            .plain = quantile(plain, 0.5),
            .ratio_low = quantile(ratios, 0.25),
            .ratio = quantile(ratios, 0.5),
            .ratio_high = quantile(ratios, 0.75)};
  }
};

Result<ReadSpeed> measure_reads(const ConversationOptions& options, const std::string& directory,
                                std::span<const int32_t> tokens, const std::vector<Extent>& extents,
                                bool is_warm, int64_t& read_bytes) {
  ReadPairs pairs;
  for (int pair = 0; pair < options.pair_count; ++pair) {
    for (const bool is_restored : {pair % 2 == 0, pair % 2 != 0}) {
      if (!is_warm) drop_from_page_cache(directory);
      KVASIR_ASSIGN_OR_RETURN(const double speed, is_restored
                                                      ? read_restored(directory, tokens, read_bytes)
                                                      : read_plain(extents));
      (is_restored ? pairs.restored : pairs.plain).push_back(speed);
    }
  }
  return pairs.summary();
}

Result<RestoreSpeed> measure_restore(const ConversationOptions& options,
                                     const std::string& directory, std::span<const int32_t> tokens,
                                     int64_t& read_bytes) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<Extent> extents, extents_of(directory));
  RestoreSpeed speed;
  KVASIR_ASSIGN_OR_RETURN(speed.cold,
                          measure_reads(options, directory, tokens, extents, false, read_bytes));
  KVASIR_ASSIGN_OR_RETURN(speed.warm,
                          measure_reads(options, directory, tokens, extents, true, read_bytes));
  return speed;
}

}  // namespace

Result<ConversationResult> measure_conversation(const ConversationOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(options.directory));
  ConversationResult result;
  std::vector<int32_t> tokens;
  KVASIR_RETURN_IF_ERROR(converse(options, folder.path(), result.cost, tokens));
  add_snapshot_scheme(options, result.cost);
  KVASIR_ASSIGN_OR_RETURN(result.speed,
                          measure_restore(options, folder.path(), tokens, result.cost.read_bytes));
  return result;
}

Result<FirstToken> measure_first_token(const EngineOptions& options, const std::string& directory,
                                       int64_t token_count) {
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(directory));
  EngineOptions with_store = options;
  with_store.store = StoreOptions{.directory = folder.path(), .min_free_bytes = 0};
  FirstToken result{.tokens = token_count};
  std::vector<int32_t> tokens;
  for (const bool is_second : {false, true}) {
    const Stopwatch watch;
    KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(with_store));
    if (tokens.empty()) {
      Random random(2);
      for (int64_t i = 0; i < token_count; ++i) {
        tokens.push_back(static_cast<int32_t>(random.below(engine.info().vocab_size)));
      }
    }
    KVASIR_ASSIGN_OR_RETURN(Session session, engine.resume(tokens));
    const auto rest = std::span(tokens).subspan(static_cast<size_t>(session.length()));
    KVASIR_ASSIGN_OR_RETURN(const int64_t computed, session.append(rest));
    (is_second ? result.restored_ms : result.prefilled_ms) = watch.elapsed_ms();
    if (is_second && computed > kv::kBlockTokens) {
      return Error{
          .kind = ErrorKind::kIo, .what = "the prompt was not found", .where = folder.path()};
    }
    session.mark_resumable();
    KVASIR_RETURN_IF_ERROR(engine.flush_store());
  }
  return result;
}

}  // namespace kvasir::bench
