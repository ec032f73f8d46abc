#include "server/cache_view.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/stopwatch.h"
#include "base/utf8.h"
#include "kvasir/cache_size.h"
#include "kvasir/store_admin.h"

namespace kvasir::server {
namespace {

constexpr size_t kRunsMax = 2000;
constexpr size_t kTextBytesMax = 160;
constexpr size_t kSharedTokensShown = 4;
constexpr int64_t kContexts[] = {32 << 10, 128 << 10, 1 << 20};
constexpr std::chrono::milliseconds kReadPeriod{1000};
constexpr int kPausePerRead = 9;

std::chrono::milliseconds milliseconds_of(double ms) {
  return std::chrono::milliseconds(static_cast<int64_t>(ms));
}

Json::Object model_json(const Served& served) {
  const ModelInfo& info = served.service->engine().info();
  return {{"name", served.model.name},
          {"fingerprint", served.model.fingerprint},
          {"context_tokens", served.model.context_tokens},
          {"context_tokens_max", info.context_tokens_max},
          {"layers", info.layer_count},
          {"weight_bytes", static_cast<int64_t>(info.weight_bytes)},
          {"threads", info.thread_count},
          {"instruction_set", info.instruction_set},
          {"chats", served.form.has_value()}};
}

Json::Object bill_json(const Served& served) {
  const ModelInfo& info = served.service->engine().info();
  const CacheSize size{.block_tokens = info.kv_block_tokens,
                       .block_bytes = info.kv_block_bytes,
                       .whole_bytes = info.kv_first_block_bytes - info.kv_block_bytes,
                       .fixed_bytes = info.kv_fixed_bytes};
  Json::Array contexts;
  for (const int64_t tokens : kContexts) {
    contexts.emplace_back(Json::Object{{"tokens", tokens}, {"bytes", size.bytes(tokens)}});
  }
  return {{"precision", served.model.precision},
          {"block_tokens", info.kv_block_tokens},
          {"bytes_per_token",
           static_cast<double>(info.kv_block_bytes) / static_cast<double>(info.kv_block_tokens)},
          {"fixed_bytes", info.kv_fixed_bytes},
          {"contexts", std::move(contexts)}};
}

Json::Object memory_json(const Served& served, const ServiceMetrics& metrics) {
  return {{"kv_bytes", metrics.kv_bytes},
          {"kv_bytes_max", served.model.kv_bytes_max},
          {"idle_sessions", metrics.idle_sessions},
          {"running_requests", metrics.running_requests},
          {"waiting_requests", metrics.waiting_requests}};
}

Json::Object totals_json(const ServiceMetrics& metrics) {
  const int64_t reused = metrics.reused_ram_tokens + metrics.reused_disk_tokens;
  // Null: nothing was computed yet from which one could tell.
  Json saved_s;
  if (metrics.computed_tokens > 0) {
    saved_s = static_cast<double>(reused) * metrics.prefill_seconds.sum /
              static_cast<double>(metrics.computed_tokens);
  }
  return {{"prompt_tokens", metrics.prompt_tokens},
          {"computed_tokens", metrics.computed_tokens},
          {"reused_ram_tokens", metrics.reused_ram_tokens},
          {"reused_disk_tokens", metrics.reused_disk_tokens},
          {"generated_tokens", metrics.generated_tokens},
          {"saved_s", std::move(saved_s)}};
}

Json requests_json(const std::vector<CacheRequest>& requests) {
  Json::Array array;
  for (const CacheRequest& request : requests) {
    array.emplace_back(Json::Object{{"id", request.id},
                                    {"at_s", request.at_s},
                                    {"session", request.session},
                                    {"prompt_tokens", request.prompt_tokens},
                                    {"reused_ram_tokens", request.reused_ram_tokens},
                                    {"reused_disk_tokens", request.reused_disk_tokens},
                                    {"computed_tokens", request.computed_tokens},
                                    {"why", request.why}});
  }
  return array;
}

// Leaves those that this server finds, the ones used last first, parents before what continues
// them: a run counts as used whenever one that continues it was.
std::vector<StoredRun> chosen_runs(std::vector<StoredRun> runs, const std::string& root) {
  std::erase_if(runs, [&](const StoredRun& run) { return run.root != root; });
  std::map<std::string, int64_t> used_s;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    int64_t& own = used_s[run->key];
    own = std::max(own, run->last_used_s);
    if (run->parent.empty()) continue;
    int64_t& before = used_s[run->parent];
    before = std::max(before, own);
  }
  std::ranges::stable_sort(runs, std::ranges::greater(),
                           [&](const StoredRun& run) { return used_s[run.key]; });
  return runs;
}

size_t common_tokens(const StoredRun& a, const StoredRun& b) {
  const auto [end, other] = std::ranges::mismatch(a.first_tokens, b.first_tokens);
  return static_cast<size_t>(end - a.first_tokens.begin());
}

// By key, how many tokens a run begins with that another one beside it begins with too: a person
// tells them apart by the words behind these.
std::map<std::string, size_t> shared_beginnings(const std::vector<StoredRun>& runs) {
  std::map<std::string, std::vector<const StoredRun*>> beside;
  for (const StoredRun& run : runs) beside[run.parent].push_back(&run);
  std::map<std::string, size_t> shared;
  for (auto& [parent, list] : beside) {
    std::ranges::sort(list, [](const StoredRun* one, const StoredRun* other) {
      return one->first_tokens < other->first_tokens;
    });
    for (size_t i = 1; i < list.size(); ++i) {
      const size_t common = common_tokens(*list[i - 1], *list[i]);
      for (const StoredRun* run : {list[i - 1], list[i]}) {
        shared[run->key] = std::max(shared[run->key], common);
      }
    }
  }
  return shared;
}

// Beginnings that others have too are left out but for a few tokens, and so are tokens that all
// texts begin with.
std::string words_of(const StoredRun& run, size_t shared, const Engine& engine) {
  std::span<const int32_t> tokens = run.first_tokens;
  const bool is_cut = shared > 2 * kSharedTokensShown;
  if (is_cut) {
    tokens = tokens.subspan(std::min(shared - kSharedTokensShown, tokens.size()));
  } else if (const auto frame = engine.encode(""); frame.ok() && run.token_begin == 0) {
    const bool has_frame = std::ranges::mismatch(tokens, *frame).in2 == frame->end();
    if (has_frame) tokens = tokens.subspan(frame->size());
  }
  const Result<std::string> text = engine.decode(tokens);
  if (!text.ok()) return {};
  return (is_cut ? "\u2026 " : "") + one_line(*text, kTextBytesMax);
}

Json run_json(const StoredRun& run, std::string words) {
  Json::Array states;
  for (const int64_t position : run.states) states.emplace_back(position);
  return Json::Object{{"key", run.key},
                      {"parent", run.parent},
                      {"token_begin", run.token_begin},
                      {"token_end", run.token_end},
                      {"bytes", run.bytes},
                      {"states", std::move(states)},
                      {"hits", run.hits},
                      {"last_used_s", run.last_used_s},
                      {"is_pinned", run.is_pinned},
                      {"pin_name", run.pin_name},
                      {"text", std::move(words)}};
}

// Errors name files, which are nothing for clients.
Json::Object listed_store(const Served& served, const StoreOptions& options) {
  Json::Object json{{"read_at_s", unix_seconds()}};
  StoreOptions reading = options;
  reading.read_only = true;
  reading.must_exist = true;
  Result<StoreAdmin> admin = StoreAdmin::open(reading);
  if (!admin.ok()) {
    json.emplace_back("error", admin.error().what);
    return json;
  }
  const Engine& engine = served.service->engine();
  const StoreSummary summary = admin->summary();
  std::vector<StoredRun> runs = chosen_runs(admin->list(), engine.store_root());
  const size_t shown = std::min(runs.size(), kRunsMax);
  Json::Array listed;
  listed.reserve(shown);
  std::map<std::string, size_t> shared = shared_beginnings(runs);
  for (size_t i = 0; i < shown; ++i) {
    listed.push_back(run_json(runs[i], words_of(runs[i], shared[runs[i].key], engine)));
  }
  json.emplace_back("file_bytes", summary.file_bytes);
  json.emplace_back("live_bytes", summary.live_bytes);
  json.emplace_back("all_runs", summary.run_count);
  json.emplace_back("own_runs", static_cast<int64_t>(runs.size()));
  json.emplace_back("left_out_runs", static_cast<int64_t>(runs.size() - shown));
  json.emplace_back("runs", std::move(listed));
  return json;
}

}  // namespace

std::string one_line(std::string_view text, size_t bytes_max) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = read_character(text, at);
    at += character.size_bytes;
    const uint32_t point = character.code_point;
    const bool is_blank = point == ' ' || point == '\n' || point == '\t' || point == '\r';
    if (is_blank && (line.empty() || line.back() == ' ')) continue;
    // Controls, and those that turn the direction of what stands beside them.
    const bool is_control = (point < 0x20 && !is_blank) || (point >= 0x7F && point < 0xA0) ||
                            (point >= 0x200B && point <= 0x200F) ||
                            (point >= 0x2028 && point <= 0x202E) ||
                            (point >= 0x2066 && point <= 0x2069) || point == kInvalidByte;
    if (is_control) continue;
    const size_t before = line.size();
    append_character(is_blank ? ' ' : point, line);
    if (line.size() <= bytes_max) continue;
    line.resize(before);
    return line + "\u2026";
  }
  return line;
}

// Whoever finds another one reading takes what was read before, and waits only for the first time.
Json::Object CacheView::list(const Served& served) {
  std::unique_lock reading(reading_, std::try_to_lock);
  if (!reading && !was_read_) reading.lock();
  if (reading && Clock::now() >= next_read_) {
    const Stopwatch watch;
    Json::Object list = listed_store(served, *served.model.store);
    const double took_ms = watch.elapsed_ms();
    list.emplace_back("read_ms", took_ms);
    next_read_ = Clock::now() + std::max(kReadPeriod, kPausePerRead * milliseconds_of(took_ms));
    const std::lock_guard lock(mutex_);
    list_ = std::move(list);
    was_read_ = true;
  }
  const std::lock_guard lock(mutex_);
  return list_;
}

Json CacheView::store(const Served& served) {
  if (!served.model.store) return {};
  Json::Object store = list(served);
  const StoreMetrics metrics = served.service->store_metrics();
  store.emplace_back("budget_bytes", served.model.store->budget_bytes);
  store.emplace_back("evicted_states", metrics[StoreMetric::kEvictedStates]);
  store.emplace_back("evicted_blocks", metrics[StoreMetric::kEvictedBlocks]);
  store.emplace_back("evicted_bytes", metrics[StoreMetric::kEvictedBytes]);
  store.emplace_back("written_bytes", metrics[StoreMetric::kWrittenBytes]);
  return store;
}

std::string CacheView::body(const Served& served, const std::vector<CacheRequest>& requests) {
  const ServiceMetrics metrics = served.service->metrics();
  return Json(Json::Object{{"model", model_json(served)},
                           {"bill", bill_json(served)},
                           {"memory", memory_json(served, metrics)},
                           {"store", store(served)},
                           {"totals", totals_json(metrics)},
                           {"requests", requests_json(requests)}})
      .dump();
}

}  // namespace kvasir::server
