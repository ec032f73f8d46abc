#include "store/index.h"

#include <utility>

#include "base/check.h"

namespace kvasir::store {
namespace {

RecordId parent_of(const RecordInfo& info) { return {Kind::kBlock, info.parent}; }

}  // namespace

const IndexEntry* Index::find(const RecordId& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

IndexEntry* Index::find(const RecordId& id) {
  return const_cast<IndexEntry*>(static_cast<const Index*>(this)->find(id));
}

void Index::insert(const PlacedRecord& record, uint64_t segment_number, const UseCount& use_count) {
  IndexEntry entry{.info = record.info,
                   .segment_number = segment_number,
                   .offset_bytes = record.offset_bytes,
                   .written_s = record.info.created_s,
                   .use_count = use_count};
  if (const IndexEntry* old = find(record.info.id)) {
    if (old->info.sequence_number > record.info.sequence_number) {
      copies_[segment_number].insert(record.info.id);
      return;
    }
    entry.use_count = old->use_count;
    // A record that was moved keeps the date when it was written.
    if (old->info.sequence_number == record.info.sequence_number) entry.written_s = old->written_s;
    erase_leaving_copy(record.info.id);
  }
  entries_.emplace(record.info.id, entry);
  count(record.info, segment_number, 1);
}

void Index::erase(const RecordId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  count(found->second.info, found->second.segment_number, -1);
  entries_.erase(found);
}

void Index::count(const RecordInfo& info, uint64_t segment_number, int sign) {
  const int64_t bytes = sign * info.record_bytes();
  live_bytes_ += bytes;
  SegmentLoad& load = segment_loads_[segment_number];
  load.bytes += bytes;
  if ((load.records += sign) == 0) segment_loads_.erase(segment_number);
  if (info.is_first_block()) return;
  if ((child_counts_[parent_of(info)] += sign) == 0) child_counts_.erase(parent_of(info));
}

int64_t Index::child_count(const Key& block) const {
  const auto found = child_counts_.find({Kind::kBlock, block});
  return found == child_counts_.end() ? 0 : found->second;
}

Index::SegmentLoad Index::live_in(uint64_t segment_number) const {
  const auto found = segment_loads_.find(segment_number);
  return found == segment_loads_.end() ? SegmentLoad{} : found->second;
}

void Index::erase_leaving_copy(const RecordId& id) {
  if (const IndexEntry* entry = find(id)) copies_[entry->segment_number].insert(id);
  erase(id);
}

std::vector<uint64_t> Index::segments_with_copies(const RecordId& id) const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, ids] : copies_) {
    if (ids.contains(id)) numbers.push_back(number);
  }
  return numbers;
}

Index::Ids Index::forget_copies_in(uint64_t segment_number) {
  const auto found = copies_.find(segment_number);
  if (found == copies_.end()) return {};
  Ids ids = std::move(found->second);
  copies_.erase(found);
  return ids;
}

void Index::release(const Key& key) {
  const auto found = holds_.find(key);
  KVASIR_CHECK(found != holds_.end(), "what is released was held");
  if (--found->second == 0) holds_.erase(found);
}

}  // namespace kvasir::store
