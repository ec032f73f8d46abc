#include "store/index.h"

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

void Index::insert(const PlacedRecord& record, uint64_t segment_number, const Usage& usage) {
  IndexEntry entry{.info = record.info,
                   .segment_number = segment_number,
                   .offset_bytes = record.offset_bytes,
                   .usage = usage};
  if (const IndexEntry* old = find(record.info.id)) {
    if (old->info.sequence_number > record.info.sequence_number) {
      copies_.emplace(record.info.id, segment_number);
      return;
    }
    entry.usage = old->usage;
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
  if (const IndexEntry* entry = find(id)) copies_.emplace(id, entry->segment_number);
  erase(id);
}

std::vector<uint64_t> Index::segments_with_copies(const RecordId& id) const {
  std::vector<uint64_t> numbers;
  const auto [begin, end] = copies_.equal_range(id);
  for (auto copy = begin; copy != end; ++copy) numbers.push_back(copy->second);
  return numbers;
}

void Index::forget_copies_in(uint64_t segment_number) {
  std::erase_if(copies_, [&](const auto& copy) { return copy.second == segment_number; });
}

}  // namespace kvasir::store
