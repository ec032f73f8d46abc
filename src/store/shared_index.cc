#include "store/shared_index.h"

#include <algorithm>
#include <deque>

#include "store/eviction.h"

namespace kvasir::store {
namespace {

// A bucket has one record on average.
constexpr size_t kBucketsPerLock = 64;

}  // namespace

std::optional<IndexEntry> SharedIndex::find(const RecordId& id) const {
  const std::lock_guard lock(mutex_);
  const IndexEntry* entry = index_.find(id);
  return entry == nullptr ? std::nullopt : std::optional(*entry);
}

void SharedIndex::for_each(const Visit& visit) const {
  const Index::Map& entries = index_.entries();
  // Erasing leaves the buckets as they are, so the walk finds its place again.
  for (size_t bucket = 0, count = 1; bucket < count;) {
    const std::lock_guard lock(mutex_);
    count = entries.bucket_count();
    for (const size_t end = std::min(count, bucket + kBucketsPerLock); bucket < end; ++bucket) {
      for (auto one = entries.begin(bucket); one != entries.end(bucket); ++one) {
        visit(index_, one->second);
      }
    }
  }
}

std::vector<IndexEntry> SharedIndex::entries_where(
    const std::function<bool(const IndexEntry&)>& is_wanted) const {
  std::deque<IndexEntry> list;  // grows without being copied while the index waits
  for_each([&](const Index&, const IndexEntry& entry) {
    if (is_wanted(entry)) list.push_back(entry);
  });
  return {list.begin(), list.end()};
}

std::vector<IndexEntry> SharedIndex::entries() const {
  return entries_where([](const IndexEntry&) { return true; });
}

std::vector<IndexEntry> SharedIndex::entries_in(uint64_t segment_number) const {
  return entries_where(
      [&](const IndexEntry& entry) { return entry.segment_number == segment_number; });
}

std::vector<IndexEntry> SharedIndex::children_of(const Key& parent) const {
  return entries_where([&](const IndexEntry& entry) { return entry.info.parent == parent; });
}

int64_t SharedIndex::child_count(const Key& block) const {
  const std::lock_guard lock(mutex_);
  return index_.child_count(block);
}

int64_t SharedIndex::live_bytes() const {
  const std::lock_guard lock(mutex_);
  return index_.live_bytes();
}

Index::SegmentLoad SharedIndex::live_in(uint64_t segment_number) const {
  const std::lock_guard lock(mutex_);
  return index_.live_in(segment_number);
}

void SharedIndex::insert(const PlacedRecord& record, uint64_t segment_number,
                         const UseCount& use_count) {
  const std::lock_guard lock(mutex_);
  index_.insert(record, segment_number, use_count);
}

void SharedIndex::erase(const RecordId& id) {
  const std::lock_guard lock(mutex_);
  index_.erase(id);
}

void SharedIndex::erase_leaving_copy(const RecordId& id) {
  const std::lock_guard lock(mutex_);
  index_.erase_leaving_copy(id);
}

IndexEntry* SharedIndex::now_of(const IndexEntry& entry) {
  IndexEntry* now = index_.find(entry.info.id);
  const bool is_same = now != nullptr && now->is_at_the_place_of(entry);
  return is_same ? now : nullptr;
}

void SharedIndex::forget(const IndexEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (now_of(entry) != nullptr) index_.erase_leaving_copy(entry.info.id);
}

void SharedIndex::note_refusal(const IndexEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (IndexEntry* now = now_of(entry)) ++now->refusal_count;
}

void SharedIndex::note_reading(const IndexEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (IndexEntry* now = now_of(entry)) now->refusal_count = 0;
}

bool SharedIndex::erase_unneeded(const RecordId& id) {
  const std::lock_guard lock(mutex_);
  const bool has_children = id.kind == Kind::kBlock && index_.child_count(id.key) != 0;
  if (has_children || index_.is_held(id.key) || index_.find(id) == nullptr) return false;
  index_.erase_leaving_copy(id);
  return true;
}

std::vector<uint64_t> SharedIndex::segments_with_copies(const RecordId& id) const {
  const std::lock_guard lock(mutex_);
  return index_.segments_with_copies(id);
}

void SharedIndex::forget_copies_in(uint64_t segment_number) {
  Index::Ids forgotten;  // freed behind the lock
  const std::lock_guard lock(mutex_);
  forgotten = index_.forget_copies_in(segment_number);
}

void SharedIndex::add_hit(const RecordId& id, int64_t now_s, uint64_t sequence_number) {
  const std::lock_guard lock(mutex_);
  IndexEntry* entry = index_.find(id);
  if (entry != nullptr) store::add_hit(entry->use_count, now_s, sequence_number);
}

void SharedIndex::set_dates(const IndexEntry& dated) {
  const std::lock_guard lock(mutex_);
  IndexEntry* entry = index_.find(dated.info.id);
  if (entry == nullptr || !entry->is_at_the_place_of(dated)) return;
  entry->written_s = dated.written_s;
  const bool is_same_use = entry->use_count.told_s == dated.use_count.told_s &&
                           entry->use_count.sequence_number == dated.use_count.sequence_number;
  if (is_same_use) entry->use_count.last_used_s = dated.use_count.last_used_s;
}

void SharedIndex::set_use_count(const RecordId& id, const UseCount& use_count) {
  const std::lock_guard lock(mutex_);
  if (IndexEntry* entry = index_.find(id)) entry->use_count = use_count;
}

void SharedIndex::hold(const Key& key) {
  const std::lock_guard lock(mutex_);
  index_.hold(key);
}

void SharedIndex::release(const Key& key) {
  const std::lock_guard lock(mutex_);
  index_.release(key);
}

bool SharedIndex::is_held(const Key& key) const {
  const std::lock_guard lock(mutex_);
  return index_.is_held(key);
}

}  // namespace kvasir::store
