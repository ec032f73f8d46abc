// Keeping a store within its bytes: what is evicted leaves holes, and segments with many holes are
// cleaned by moving what is left of them.
#include <algorithm>
#include <set>

#include "store/block_store.h"
#include "store/eviction.h"
#include "store/segment_check.h"

namespace kvasir::store {
namespace {

constexpr int64_t kSegmentBytesMin = int64_t{256} << 10;
// Evicting in portions keeps the work per record small.
constexpr int64_t kPortionsPerBudget = 16;
// A segment that is fuller than this is worth cleaning only when nothing can be evicted.
constexpr double kLiveShareMax = 0.75;
// What cleaning must free to be worth anything: more than the footers it may write.
constexpr int64_t kFreedBytesMin = 4 * kPageBytes;

}  // namespace

int64_t BlockStore::segment_bytes_for(const BlockStoreOptions& options) {
  return std::min(options.segment_bytes_max,
                  std::max(kSegmentBytesMin, options.budget_bytes / kPortionsPerBudget));
}

// What the files may hold together: the budget, less where the device is fuller than it may be.
int64_t BlockStore::capacity_bytes() const {
  const IoResult free = files_->free_bytes(options_.directory);
  if (!free.ok()) return options_.budget_bytes;
  return std::min(options_.budget_bytes,
                  std::max<int64_t>(0, log_->file_bytes() + free.count - options_.min_free_bytes));
}

bool BlockStore::make_room_locked(int64_t bytes) {
  // A segment's worth is kept back for what cleaning writes before it can delete.
  const int64_t reserve = options_.segment_bytes_max + options_.segment_bytes_max / 4;
  const auto has_room = [&] { return log_->file_bytes() + bytes <= capacity_bytes() - reserve; };
  while (!has_room()) {
    if (clean_one_segment_locked(kLiveShareMax)) continue;
    if (evict(std::max(bytes, capacity_bytes() / kPortionsPerBudget)) > 0) continue;
    if (!clean_one_segment_locked(1)) return false;
  }
  return true;
}

void BlockStore::keep_budget() {
  if (!options_.is_writer) return;
  const std::lock_guard lock(write_mutex_);
  make_room_locked(0);
}

int64_t BlockStore::evict(int64_t bytes) {
  const std::lock_guard lock(index_mutex_);
  const auto is_held = [this](const Key& key) { return holds_.contains(key); };
  const Evicted evicted = Evictor(index_, is_held, now_s()).evict(bytes);
  metrics_.add(StoreMetric::kEvictedStates, evicted.states);
  metrics_.add(StoreMetric::kEvictedBlocks, evicted.blocks);
  metrics_.add(StoreMetric::kEvictedBytes, evicted.bytes);
  return evicted.bytes;
}

bool BlockStore::clean_one_segment_locked(double live_share_max) {
  uint64_t emptiest = 0;
  double lowest_share = live_share_max;
  for (const auto& [number, file_bytes] : log_->segments()) {
    const std::lock_guard lock(index_mutex_);
    const int64_t live_bytes = index_.live_bytes_of(number);
    const double share =
        file_bytes == 0 ? 0 : static_cast<double>(live_bytes) / static_cast<double>(file_bytes);
    if (share > lowest_share) continue;
    if (live_bytes != 0 && file_bytes - live_bytes < kFreedBytesMin + footer_bytes(0)) continue;
    if (live_bytes == 0 && number == log_->active_number() && file_bytes == 0) continue;
    lowest_share = share;
    emptiest = number;
  }
  return emptiest != 0 && clean_segment_locked(emptiest).ok();
}

Status BlockStore::clean_segment_locked(uint64_t number) {
  KVASIR_RETURN_IF_ERROR(settle(log_->freeze(number)));
  std::vector<IndexEntry> survivors;
  {
    const std::lock_guard lock(index_mutex_);
    for (const RecordId& id : ids_in_segment(number)) survivors.push_back(*index_.find(id));
  }
  std::vector<std::byte> payload;
  for (const IndexEntry& entry : survivors) {
    const std::optional<std::vector<int32_t>> tokens = read_tokens(entry.info.id);
    payload.resize(static_cast<size_t>(entry.info.payload_bytes));
    if (!tokens || !read(entry.info.id, payload)) {
      quarantine(entry);
      continue;
    }
    RecordInfo info = entry.info;
    info.sequence_number = next_sequence_number_++;
    KVASIR_RETURN_IF_ERROR(append_locked(info, *tokens, payload, entry.usage));
    metrics_.add(StoreMetric::kRewrittenBytes, info.record_bytes());
  }
  // The old copy goes only when the new one is as safe.
  KVASIR_RETURN_IF_ERROR(settle(log_->sync()));
  metrics_.add(StoreMetric::kCleanedSegments, 1);
  return log_->remove(number);
}

Status BlockStore::remove(std::span<const RecordId> ids) {
  const std::lock_guard lock(write_mutex_);
  std::set<uint64_t> touched;
  {
    const std::lock_guard index_lock(index_mutex_);
    for (const RecordId& id : ids) {
      if (const IndexEntry* entry = index_.find(id)) touched.insert(entry->segment_number);
      index_.erase(id);
    }
  }
  for (const uint64_t number : touched) KVASIR_RETURN_IF_ERROR(clean_segment_locked(number));
  return ok_status();
}

Status BlockStore::clear() {
  const std::lock_guard lock(write_mutex_);
  for (const auto& [number, file_bytes] : log_->segments()) {
    forget_segment(number);
    KVASIR_RETURN_IF_ERROR(settle(log_->freeze(number)));
    KVASIR_RETURN_IF_ERROR(log_->remove(number));
  }
  return ok_status();
}

Status BlockStore::shrink_to(int64_t bytes) {
  const std::lock_guard lock(write_mutex_);
  while (log_->file_bytes() > bytes) {
    if (clean_one_segment_locked(kLiveShareMax)) continue;
    if (evict(log_->file_bytes() - bytes) > 0) continue;
    if (!clean_one_segment_locked(1)) break;
  }
  return ok_status();
}

Result<std::vector<DamagedRecord>> BlockStore::verify(bool repair, const VerifyProgress& progress) {
  const std::lock_guard lock(write_mutex_);
  // What is being written gets its footer first, so that all files are checked alike.
  KVASIR_RETURN_IF_ERROR(settle(log_->seal()));
  std::vector<DamagedRecord> damaged;
  const int64_t total_bytes = log_->file_bytes();
  int64_t done_bytes = 0;
  bool goes_on = true;
  for (const auto& [number, file_bytes] : log_->segments()) {
    const std::string path = log_->path_of(number);
    Result<std::vector<Damage>> found = check_segment(*files_, path, number, [&](int64_t bytes) {
      done_bytes += bytes;
      goes_on = !progress || progress(done_bytes, total_bytes);
      return goes_on;
    });
    if (!found) {
      damaged.push_back({path, {0, "a readable file", found.error().message()}});
      continue;
    }
    for (const Damage& damage : *found) {
      damaged.push_back({path, damage});
      forget_record_at(number, damage.offset_bytes);
    }
    if (repair && !found->empty()) KVASIR_RETURN_IF_ERROR(clean_segment_locked(number));
    if (!goes_on) break;
  }
  metrics_.add(StoreMetric::kVerifyFailures, std::ssize(damaged));
  return damaged;
}

void BlockStore::forget_record_at(uint64_t number, int64_t offset_bytes) {
  const std::lock_guard lock(index_mutex_);
  for (const RecordId& id : ids_in_segment(number)) {
    const IndexEntry& entry = *index_.find(id);
    const int64_t end = entry.offset_bytes + entry.info.record_bytes();
    if (offset_bytes >= entry.offset_bytes && offset_bytes < end) return index_.erase(id);
  }
}

}  // namespace kvasir::store
