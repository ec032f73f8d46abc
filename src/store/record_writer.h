// A RecordWriter changes the segments of a store and keeps the index true to them: an appended
// record is found, and a record that a failed sync lost is not found any more.
//
// The BlockStore that owns it also owns the log, the index and the metrics. It is not thread-safe:
// every call needs the store's write mutex. Readers may go on meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvasir/result.h"
#include "store/metrics.h"
#include "store/segment_log.h"
#include "store/shared_index.h"

namespace kvasir::store {

class RecordWriter {
 public:
  RecordWriter(SegmentLog& log, SharedIndex& index, Metrics& metrics)
      : log_(log), index_(index), metrics_(metrics) {}

  // Writes a record and makes it known. Error: I/O; the record is not known.
  Status append(const RecordInfo& info, std::span<const int32_t> tokens,
                std::span<const std::byte> payload, const UseCount& use_count);
  // These four are those of SegmentLog. Error: I/O.
  Status sync() { return settle(log_.sync()); }
  Status sync_if_due() { return settle(log_.sync_if_due()); }
  Status seal() { return settle(log_.seal()); }
  Status freeze(uint64_t number) { return settle(log_.freeze(number)); }

  // Deletes a frozen segment whose records were moved or forgotten. Error: I/O; it stays.
  Status remove_segment(uint64_t number);
  // Deletes a segment with all records in it.
  Status delete_segment(uint64_t number);

 private:
  // Forgets what failed syncs took away.
  Status settle(WriteOutcome outcome);
  void forget_records_in(uint64_t number);

  SegmentLog& log_;
  SharedIndex& index_;
  Metrics& metrics_;
};

}  // namespace kvasir::store
