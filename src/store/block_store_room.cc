// Keeping a store within its bytes: what is evicted leaves holes, and segments with many holes are
// cleaned by moving what is left of them.
#include <algorithm>
#include <set>

#include "store/block_store.h"
#include "store/dates.h"
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
// The records that cleaning moves share footers with others: pages are rounded up once more.
constexpr int64_t kFooterRoundingBytes = 2 * kPageBytes;
// Beyond any device, and far enough from the end of the numbers to add to.
constexpr int64_t kFreeBytesMax = int64_t{1} << 60;

}  // namespace

int64_t BlockStore::segment_bytes_for(const BlockStoreOptions& options) {
  return std::min(options.segment_bytes_max,
                  std::max(kSegmentBytesMin, options.budget_bytes / kPortionsPerBudget));
}

// The budget, less a segment's worth for what cleaning writes before it can delete.
int64_t BlockStore::budget_limit_bytes() const {
  return options_.budget_bytes - options_.segment_bytes_max - options_.segment_bytes_max / 4;
}

// What the files may hold together before a record is added: what the budget allows, and less where
// the device is fuller than it may be.
int64_t BlockStore::limit_bytes() const {
  const int64_t limit = budget_limit_bytes();
  const IoResult free = files_->free_bytes(options_.directory);
  if (!free.ok()) return limit;
  const int64_t free_bytes = std::min(free.count, kFreeBytesMax);
  return std::min(limit, log_->file_bytes() + free_bytes - options_.min_free_bytes);
}

// Cleans and evicts, a portion at a time, until the files hold at most that many bytes.
bool BlockStore::shrink_locked(int64_t goal_bytes, const std::function<int64_t()>& portion_bytes) {
  int64_t lowest_bytes = log_->file_bytes();
  while (log_->file_bytes() > goal_bytes) {
    if (clean_one_segment_locked(kLiveShareMax)) continue;
    if (evict_locked(portion_bytes()) > 0) continue;
    // Nothing is left to evict: scrape together what holes there are, as long as it helps.
    if (!clean_one_segment_locked(1) || log_->file_bytes() >= lowest_bytes) return false;
    lowest_bytes = log_->file_bytes();
  }
  return true;
}

bool BlockStore::make_room_locked(int64_t bytes) {
  // The limit stays where it is while files come and go. What an empty store could not take is no
  // reason to evict anything.
  const int64_t limit = limit_bytes();
  if (bytes > 0 && bytes > limit - log_->kept_bytes()) return false;
  return shrink_locked(limit - bytes, [&] { return std::max(bytes, limit / kPortionsPerBudget); });
}

Error BlockStore::why_no_room(int64_t bytes) const {
  Error error{.kind = ErrorKind::kNoRoom,
              .what = "not all is saved: the store has no room",
              .where = options_.directory};
  if (limit_bytes() < budget_limit_bytes()) {
    error.what = "not all is saved: the store's device is too full";
    error.expected = std::to_string(options_.min_free_bytes) + " bytes left free for others";
    error.found = std::to_string(files_->free_bytes(options_.directory).count) + " free";
    error.remedy = "make room there, or use a store on another device";
    return error;
  }
  error.field = "budget_bytes";
  error.expected =
      std::to_string(bytes) + " bytes more within " + std::to_string(options_.budget_bytes);
  error.found = "all that could be given up is in use or pinned";
  error.remedy = "give it more, or unpin something";
  if (const int64_t kept_bytes = log_->kept_bytes(); kept_bytes != 0) {
    error.found = std::to_string(kept_bytes) + " in files that are kept as they are";
    error.remedy = "give it more, delete these files, or use another store";
  }
  return error;
}

void BlockStore::shrink_to_budget() {
  const std::lock_guard lock(write_mutex_);
  settle_dates_locked();
  if (options_.is_writer) make_room_locked(0);
}

// Walks a copy: look-ups do not wait for it.
void BlockStore::settle_dates_locked() {
  newest_s_ = now_s();
  std::vector<IndexEntry> entries = entries_where([](const IndexEntry&) { return true; });
  std::vector<Moment> moments;
  moments.reserve(entries.size());
  for (IndexEntry& entry : entries) {
    UseCount& use_count = entry.use_count;
    moments.push_back({entry.info.sequence_number, entry.info.created_s, &entry.written_s});
    use_count.last_used_s = std::min(use_count.told_s, newest_s_.load());
    if (use_count.sequence_number == 0) continue;
    moments.push_back({use_count.sequence_number, use_count.told_s, &use_count.last_used_s});
  }
  settle_dates(std::move(moments), newest_s_);
  for (const IndexEntry& entry : entries) index_.set_dates(entry);
}

int64_t BlockStore::evict_locked(int64_t bytes) {
  // What was dated by a clock that has since been put back.
  if (newest_s_ - kClockSlackS > now_s()) settle_dates_locked();
  const Evicted evicted = Evictor(index_, now_s()).evict(bytes);
  metrics_.add(StoreMetric::kEvictedStates, evicted.states);
  metrics_.add(StoreMetric::kEvictedBlocks, evicted.blocks);
  metrics_.add(StoreMetric::kEvictedBytes, evicted.bytes);
  return evicted.bytes;
}

// Bytes that the survivors of a segment take elsewhere, footers included.
int64_t BlockStore::kept_bytes_of(uint64_t number) const {
  const Index::SegmentLoad live = index_.live_in(number);
  return live.bytes == 0 ? 0 : live.bytes + 2 * footer_bytes(live.records) + kFooterRoundingBytes;
}

// Cleans the emptiest segment that is worth it and whose survivors fit beside it.
bool BlockStore::clean_one_segment_locked(double live_share_max) {
  std::vector<std::pair<double, uint64_t>> candidates;  // live share, number
  for (const auto& [number, file_bytes] : log_->segments()) {
    if (log_->is_kept(number) || file_bytes - kept_bytes_of(number) < kFreedBytesMin) continue;
    const double share =
        static_cast<double>(index_.live_in(number).bytes) / static_cast<double>(file_bytes);
    if (share <= live_share_max) candidates.emplace_back(share, number);
  }
  std::sort(candidates.begin(), candidates.end());
  return std::any_of(candidates.begin(), candidates.end(), [&](const auto& candidate) {
    // Asked each time: one that failed may have left copies behind.
    const int64_t kept_bytes = kept_bytes_of(candidate.second);
    const int64_t used_bytes = log_->file_bytes() + log_->pending_footer_bytes();
    const bool fits = kept_bytes == 0 || used_bytes + kept_bytes <= options_.budget_bytes;
    return fits && clean_segment_locked(candidate.second).ok();
  });
}

Status BlockStore::clean_segment_locked(uint64_t number) {
  KVASIR_RETURN_IF_ERROR(settle(log_->freeze(number)));
  std::vector<IndexEntry> survivors = entries_in(number);
  Status moved = move_survivors_locked(survivors);
  const int64_t lost_copies = restore_locked(survivors);
  if (!moved.ok() && moved.error().kind == ErrorKind::kUnsupported) {
    log_->keep(number, kept_for_error(moved.error()));
  }
  KVASIR_RETURN_IF_ERROR(std::move(moved));
  if (lost_copies != 0) {
    return Error{.kind = ErrorKind::kIo,
                 .what = "a sync failed while a segment was cleaned",
                 .where = log_->path_of(number)};
  }
  metrics_.add(StoreMetric::kCleanedSegments, 1);
  return remove_segment_locked(number);
}

Status BlockStore::move_survivors_locked(std::vector<IndexEntry>& survivors) {
  std::vector<std::byte> payload;
  for (auto survivor = survivors.begin(); survivor != survivors.end();) {
    KVASIR_ASSIGN_OR_RETURN(const bool is_moved, move_record_locked(*survivor, payload));
    survivor = is_moved ? survivor + 1 : survivors.erase(survivor);
  }
  // The old copies go only when the new ones are as safe.
  return settle(log_->sync());
}

Result<bool> BlockStore::move_record_locked(const IndexEntry& entry,
                                            std::vector<std::byte>& payload) {
  payload.resize(static_cast<size_t>(entry.info.payload_bytes));
  const Status read = read_entry(entry, payload);
  Result<RecordHeader> header = read.ok() ? read_header(entry) : read.error();
  if (!header) {
    // A device that fails now may work later: nothing is given up for that.
    if (!is_lost(header.error())) return std::move(header).error();
    metrics_.add(StoreMetric::kVerifyFailures, 1);
    index_.forget(entry);
    return false;
  }
  // Its number stays, and with it the order in which things happened.
  KVASIR_RETURN_IF_ERROR(append_locked(entry.info, header->tokens, payload, entry.use_count));
  metrics_.add(StoreMetric::kRewrittenBytes, entry.info.record_bytes());
  return true;
}

// What lost its new copy to a failed sync is still where it was.
int64_t BlockStore::restore_locked(const std::vector<IndexEntry>& survivors) {
  int64_t count = 0;
  for (const IndexEntry& entry : survivors) {
    if (index_.find(entry.info.id)) continue;
    index_.insert({entry.info, entry.offset_bytes}, entry.segment_number, entry.use_count);
    ++count;
  }
  return count;
}

// All of them, the emptiest first, even if one fails; so that a full device gets room on the way.
Status BlockStore::clean_all_locked(std::set<uint64_t> numbers) {
  Status first_failure = ok_status();
  std::erase_if(numbers, [this](uint64_t number) { return log_->is_kept(number); });
  for (const bool only_empty : {true, false}) {
    for (auto number = numbers.begin(); number != numbers.end();) {
      const bool is_empty = index_.live_in(*number).records == 0;
      if (only_empty && !is_empty) {
        ++number;
        continue;
      }
      Status cleaned = clean_segment_locked(*number);
      if (!cleaned.ok() && first_failure.ok()) first_failure = std::move(cleaned);
      number = numbers.erase(number);
    }
  }
  // Deleted files stay deleted after a power failure only if their directory says so.
  (void)log_->sync_directory();
  return first_failure;
}

Status BlockStore::remove(std::span<const RecordId> ids) {
  const std::lock_guard lock(write_mutex_);
  std::set<uint64_t> touched;
  for (const RecordId& id : ids) {
    index_.erase_leaving_copy(id);
    for (const uint64_t number : index_.segments_with_copies(id)) touched.insert(number);
  }
  return clean_all_locked(std::move(touched));
}

Status BlockStore::delete_segment_locked(uint64_t number) {
  forget_segment(number);
  KVASIR_RETURN_IF_ERROR(settle(log_->freeze(number)));
  return remove_segment_locked(number);
}

Status BlockStore::remove_segment_locked(uint64_t number) {
  KVASIR_RETURN_IF_ERROR(log_->remove(number));
  index_.forget_copies_in(number);
  return ok_status();
}

Status BlockStore::clear() {
  const std::lock_guard lock(write_mutex_);
  for (const auto& [number, file_bytes] : log_->segments()) {
    if (!log_->is_kept(number)) KVASIR_RETURN_IF_ERROR(delete_segment_locked(number));
  }
  (void)log_->sync_directory();
  return ok_status();
}

Status BlockStore::shrink_to(int64_t bytes) {
  const std::lock_guard lock(write_mutex_);
  shrink_locked(bytes, [&] { return log_->file_bytes() - bytes; });
  return ok_status();
}

Result<std::vector<StoreDamage>> BlockStore::verify(bool repair, const StoreProgress& progress) {
  const std::lock_guard lock(write_mutex_);
  // What is being written gets its footer first, so that all files are checked alike.
  KVASIR_RETURN_IF_ERROR(settle(log_->seal()));
  std::vector<StoreDamage> damaged;
  const int64_t total_bytes = log_->file_bytes() - log_->kept_bytes();
  int64_t done_bytes = 0;
  bool goes_on = true;
  for (const auto& [number, file_bytes] : log_->segments()) {
    if (log_->is_kept(number)) continue;
    const std::string path = log_->path_of(number);
    Result<std::vector<RecordDamage>> found =
        check_segment(*files_, path, number, [&](int64_t bytes) {
          done_bytes += bytes;
          goes_on = !progress || progress(done_bytes, total_bytes);
          return goes_on;
        });
    if (!found) {
      // What cannot be read is not damaged.
      log_->keep(number, kept_for_error(found.error()));
      continue;
    }
    for (const RecordDamage& damage : *found) {
      damaged.push_back({path, damage.offset_bytes, damage.expected, damage.found});
    }
    forget_damaged(number, *found);
    if (repair && !found->empty()) KVASIR_RETURN_IF_ERROR(clean_segment_locked(number));
    if (!goes_on) break;
  }
  metrics_.add(StoreMetric::kVerifyFailures, std::ssize(damaged));
  return damaged;
}

void BlockStore::forget_damaged(uint64_t number, const std::vector<RecordDamage>& damages) {
  if (damages.empty()) return;
  for (const IndexEntry& entry : entries_in(number)) {
    const int64_t end = entry.offset_bytes + entry.info.record_bytes();
    const bool is_damaged =
        std::any_of(damages.begin(), damages.end(), [&](const RecordDamage& damage) {
          return damage.offset_bytes >= entry.offset_bytes && damage.offset_bytes < end;
        });
    if (is_damaged) index_.forget(entry);
  }
}

}  // namespace kvasir::store
