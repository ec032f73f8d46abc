#include "store/budget.h"

#include <algorithm>
#include <utility>

#include "store/eviction.h"

namespace kvasir::store {
namespace {

constexpr int64_t kSegmentBytesMin = int64_t{256} << 10;
// Evicting in portions keeps the work per record small.
constexpr int64_t kPortionsPerBudget = 16;
// A segment that is fuller than this is worth cleaning only when nothing can be evicted.
constexpr double kLiveShareMax = 0.75;
// Beyond any device, and far enough from the end of the numbers to add to.
constexpr int64_t kFreeBytesMax = int64_t{1} << 60;

}  // namespace

int64_t segment_bytes_within(int64_t budget_bytes, int64_t segment_bytes_max) {
  return std::min(segment_bytes_max, std::max(kSegmentBytesMin, budget_bytes / kPortionsPerBudget));
}

Budget::Budget(FileSystem& files, SegmentLog& log, SharedIndex& index, Metrics& metrics,
               StoreClock& clock, Cleaner& cleaner, BudgetOptions options)
    : files_(files),
      log_(log),
      index_(index),
      metrics_(metrics),
      clock_(clock),
      cleaner_(cleaner),
      options_(std::move(options)) {}

int64_t Budget::budget_limit_bytes() const {
  return options_.budget_bytes - options_.segment_bytes_max - options_.segment_bytes_max / 4;
}

int64_t Budget::limit_bytes() const {
  const int64_t limit = budget_limit_bytes();
  const IoResult free = files_.free_bytes(options_.directory);
  if (!free.ok()) return limit;
  const int64_t free_bytes = std::min(free.count, kFreeBytesMax);
  return std::min(limit, log_.file_bytes() + free_bytes - options_.min_free_bytes);
}

bool Budget::shrink(int64_t goal_bytes, const std::function<int64_t()>& portion_bytes) {
  int64_t lowest_bytes = log_.file_bytes();
  while (log_.file_bytes() > goal_bytes) {
    if (cleaner_.clean_emptiest(kLiveShareMax)) continue;
    if (evict(portion_bytes()) > 0) continue;
    // Nothing is left to evict: even nearly full segments are cleaned, as long as it helps.
    if (!cleaner_.clean_emptiest(1) || log_.file_bytes() >= lowest_bytes) return false;
    lowest_bytes = log_.file_bytes();
  }
  return true;
}

bool Budget::make_room(int64_t record_bytes) {
  // The limit is read once: it must not move while files come and go. A record that an empty store
  // could not take evicts nothing.
  const int64_t limit = limit_bytes();
  if (record_bytes > 0 && record_bytes > limit - log_.kept_bytes()) return false;
  return shrink(limit - record_bytes,
                [&] { return std::max(record_bytes, limit / kPortionsPerBudget); });
}

void Budget::shrink_to(int64_t bytes) {
  shrink(bytes, [&] { return log_.file_bytes() - bytes; });
}

Error Budget::why_no_room(int64_t record_bytes) const {
  Error error{.kind = ErrorKind::kNoRoom,
              .what = "not all is saved: the store has no room",
              .where = options_.directory};
  if (limit_bytes() < budget_limit_bytes()) {
    error.what = "not all is saved: the store's device is too full";
    error.expected = std::to_string(options_.min_free_bytes) + " bytes left free for others";
    error.found = std::to_string(files_.free_bytes(options_.directory).count) + " free";
    error.remedy = "make room there, or use a store on another device";
    return error;
  }
  error.field = "budget_bytes";
  error.expected =
      std::to_string(record_bytes) + " bytes more within " + std::to_string(options_.budget_bytes);
  error.found = "all that could be given up is in use or pinned";
  error.remedy = "give it more, or unpin something";
  if (const int64_t kept_bytes = log_.kept_bytes(); kept_bytes != 0) {
    error.found = std::to_string(kept_bytes) + " in files that are kept as they are";
    error.remedy = "give it more, delete these files, or use another store";
  }
  return error;
}

int64_t Budget::evict(int64_t bytes) {
  // Dates in the future would make records look newer than those of today.
  if (clock_.was_put_back()) clock_.settle(index_);
  const Evicted evicted = Evictor(index_, clock_.now_s()).evict(bytes);
  metrics_.add(StoreMetric::kEvictedStates, evicted.states);
  metrics_.add(StoreMetric::kEvictedBlocks, evicted.blocks);
  metrics_.add(StoreMetric::kEvictedBytes, evicted.bytes);
  return evicted.bytes;
}

}  // namespace kvasir::store
