// A SharedIndex guards a store's Index, which it owns, so that any thread may use it.
//
// Each call holds the lock for a time that does not grow with the store, so a look-up waits for no
// walk over the records. Only the thread that holds the store's write mutex may insert.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "store/index.h"

namespace kvasir::store {

class SharedIndex {
 public:
  std::optional<IndexEntry> find(const RecordId& id) const;
  // Visits every record, a few under one lock; calls of other threads go in between. `visit` must
  // not use this SharedIndex. REQUIRES: nobody inserts meanwhile.
  using Visit = std::function<void(const Index& index, const IndexEntry& entry)>;
  void for_each(const Visit& visit) const;

  // Copies of all records, of those in one segment, and of those that hang on one key. REQUIRES:
  // nobody inserts meanwhile.
  std::vector<IndexEntry> entries() const;
  std::vector<IndexEntry> entries_in(uint64_t segment_number) const;
  std::vector<IndexEntry> children_of(const Key& parent) const;

  int64_t child_count(const Key& block) const;
  int64_t live_bytes() const;
  Index::SegmentLoad live_in(uint64_t segment_number) const;

  void insert(const PlacedRecord& record, uint64_t segment_number, const UseCount& use_count);
  void erase(const RecordId& id);
  void erase_leaving_copy(const RecordId& id);
  // Erases that very record, leaving a copy. A newer one under its id stays.
  void forget(const IndexEntry& entry);
  // Notes that the device refused to give bytes of that record.
  void note_refusal(const IndexEntry& entry);
  // Notes that the device gave them after all.
  void note_reading(const IndexEntry& entry);
  // Erases a record for eviction, leaving a copy. False: it is not here, it is held, or another
  // record hangs on it.
  bool erase_unneeded(const RecordId& id);
  std::vector<uint64_t> segments_with_copies(const RecordId& id) const;
  void forget_copies_in(uint64_t segment_number);

  // sequence_number: of the record that would be written next.
  void add_hit(const RecordId& id, int64_t now_s, uint64_t sequence_number);
  void set_use_count(const RecordId& id, const UseCount& use_count);
  // Sets when that very record was written, and when it was used unless it was used again
  // meanwhile.
  void set_dates(const IndexEntry& dated);

  void hold(const Key& key);
  void release(const Key& key);
  bool is_held(const Key& key) const;

 private:
  std::vector<IndexEntry> entries_where(
      const std::function<bool(const IndexEntry&)>& is_wanted) const;
  // Returns the same record as it is known now. Null: it is gone, or there is a newer one.
  IndexEntry* now_of(const IndexEntry& entry);

  mutable std::mutex mutex_;  // guards the index
  Index index_;
};

}  // namespace kvasir::store
