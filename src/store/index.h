// An Index knows which records a store has, where they lie, what hangs on what, and what is held.
//
// Records form trees: a block hangs on the block before it, and a state hangs on the block it
// stands behind. A record whose parent is not here is of no use until the parent is written again.
// The index is in memory only and is rebuilt from the segments. It is not thread-safe; SharedIndex
// guards it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/footer.h"
#include "store/record.h"

namespace kvasir::store {

// A UseCount says how often a record was used, halved over time, and when it last was.
struct UseCount {
  double hits = 0;  // as of last_used_s, seconds since 1970
  int64_t last_used_s = 0;
  // These two remember the last use between processes: what the clock said, and the number of the
  // record that would have been written next. 0: unknown.
  int64_t told_s = 0;
  uint64_t sequence_number = 0;
};

struct IndexEntry {
  RecordInfo info;
  uint64_t segment_number = 0;
  int64_t offset_bytes = 0;
  int64_t written_s = 0;  // info.created_s is what the clock said
  UseCount use_count;
  int refusal_count = 0;  // how often in a row the device did not give its bytes

  // A device that refuses once may work the next time. A record that it refused twice is not found
  // any more; it stays known, so that cleaning does not delete it.
  bool is_given_up() const { return refusal_count >= 2; }
  // Whether both are the same record at the same place. Cleaning moves records.
  bool is_at_the_place_of(const IndexEntry& other) const {
    return info.sequence_number == other.info.sequence_number &&
           segment_number == other.segment_number && offset_bytes == other.offset_bytes;
  }
};

class Index {
 public:
  using Map = std::unordered_map<RecordId, IndexEntry, RecordIdHash>;

  // Null: not here. The pointer is good until the next insert or erase.
  const IndexEntry* find(const RecordId& id) const;
  IndexEntry* find(const RecordId& id);

  // Replaces an entry with a lower sequence number, and then keeps its usage.
  void insert(const PlacedRecord& record, uint64_t segment_number, const UseCount& use_count);
  void erase(const RecordId& id);
  // Erases a record whose bytes stay where they are, to be found by segments_with_copies.
  void erase_leaving_copy(const RecordId& id);
  // Returns the segments that hold older, damaged or evicted copies of a record. Opening the store
  // again could find these.
  std::vector<uint64_t> segments_with_copies(const RecordId& id) const;
  using Ids = std::unordered_set<RecordId, RecordIdHash>;
  // Returns the ids of the copies that it forgot.
  Ids forget_copies_in(uint64_t segment_number);

  // Holds on a key add up.
  void hold(const Key& key) { ++holds_[key]; }
  void release(const Key& key);
  bool is_held(const Key& key) const { return holds_.contains(key); }

  const Map& entries() const { return entries_; }
  // Counts the records here whose parent is that block, states included.
  int64_t child_count(const Key& block) const;
  // Sums the bytes of the records here, headers and padding included.
  int64_t live_bytes() const { return live_bytes_; }
  struct SegmentLoad {
    int64_t bytes = 0;
    int64_t records = 0;
  };
  SegmentLoad live_in(uint64_t segment_number) const;

 private:
  void count(const RecordInfo& info, uint64_t segment_number, int sign);

  Map entries_;
  std::unordered_map<RecordId, int64_t, RecordIdHash> child_counts_;  // by the parent's id
  std::unordered_map<uint64_t, SegmentLoad> segment_loads_;
  std::unordered_map<uint64_t, Ids> copies_;  // by the segment they lie in
  std::unordered_map<Key, int64_t, KeyHash> holds_;
  int64_t live_bytes_ = 0;
};

}  // namespace kvasir::store
