#include "server/cache_view.h"

#include <algorithm>
#include <utility>

#include "base/stopwatch.h"
#include "kvasir/cache_size.h"
#include "server/remote_json.h"

namespace kvasir::server {
namespace {

constexpr int64_t kContexts[] = {32 << 10, 128 << 10, 1 << 20};
constexpr std::chrono::milliseconds kReadPeriod{1000};
constexpr int kPausePerRead = 9;
constexpr size_t kRequestsMax = 64;

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

// Null: there is none.
Json remote_json(const Served& served) {
  const RemoteMetrics metrics = served.service->engine().remote_metrics();
  return metrics.endpoints.empty() ? Json() : Json(json_of(metrics));
}

Json::Object totals_json(const ServiceMetrics& metrics) {
  const int64_t reused =
      metrics.reused_ram_tokens + metrics.reused_disk_tokens + metrics.reused_remote_tokens;
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
          {"reused_remote_tokens", metrics.reused_remote_tokens},
          {"generated_tokens", metrics.generated_tokens},
          {"saved_s", std::move(saved_s)}};
}

Json requests_json(const std::deque<CacheRequest>& requests) {
  Json::Array array;
  for (const CacheRequest& request : requests) {
    array.emplace_back(Json::Object{{"id", request.id},
                                    {"at_s", request.at_s},
                                    {"session", request.session},
                                    {"prompt_tokens", request.prompt_tokens},
                                    {"reused_ram_tokens", request.reused_ram_tokens},
                                    {"reused_disk_tokens", request.reused_disk_tokens},
                                    {"reused_remote_tokens", request.reused_remote_tokens},
                                    {"computed_tokens", request.computed_tokens},
                                    {"why", request.why}});
  }
  return array;
}

}  // namespace

// Whoever finds another one reading takes what was read before, and waits only for the first time.
Json::Object CacheView::list(const Served& served) {
  std::unique_lock reading(reading_, std::try_to_lock);
  if (!reading && !was_read_) reading.lock();
  if (reading && Clock::now() >= next_read_) {
    const Stopwatch watch;
    Json::Object list =
        runs_.read(served.service->engine(), *served.model.store, served.conversations.get());
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

void CacheView::add(CacheRequest request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  if (requests_.size() > kRequestsMax) requests_.pop_front();
}

std::string CacheView::body(const Served& served) {
  const ServiceMetrics metrics = served.service->metrics();
  Json requests;
  {
    const std::lock_guard lock(mutex_);
    requests = requests_json(requests_);
  }
  return Json(Json::Object{{"model", model_json(served)},
                           {"bill", bill_json(served)},
                           {"memory", memory_json(served, metrics)},
                           {"store", store(served)},
                           {"remote", remote_json(served)},
                           {"totals", totals_json(metrics)},
                           {"requests", std::move(requests)}})
      .dump();
}

}  // namespace kvasir::server
