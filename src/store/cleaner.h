// A Cleaner gives the space of forgotten records back: it moves the records that are left in a
// segment to the end of the log and deletes the segment.
//
// Example: a segment of 16 MiB holds 4 MiB of records that can be found. Cleaning writes these 4
// MiB anew, deletes the file, and so frees 12 MiB. For a moment both copies are on the device, so a
// segment is cleaned only if its records fit beside it within the budget.
//
// The BlockStore that owns it also owns all it works on. It is not thread-safe: every call needs
// the store's write mutex. Readers may go on meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "kvasir/result.h"
#include "store/metrics.h"
#include "store/record_reader.h"
#include "store/record_writer.h"

namespace kvasir::store {

class Cleaner {
 public:
  // budget_bytes: of all segment files together.
  Cleaner(SegmentLog& log, SharedIndex& index, Metrics& metrics, RecordReader& reader,
          RecordWriter& writer, int64_t budget_bytes)
      : log_(log),
        index_(index),
        metrics_(metrics),
        reader_(reader),
        writer_(writer),
        budget_bytes_(budget_bytes) {}

  // Cleans one segment. Error: a record could not be read or written now, or another version wrote
  // it (the segment is kept from then on); the segment stays, and no record is lost.
  Status clean(uint64_t number);
  // Cleans the emptiest segment that is worth it: at most `live_share_max` of its bytes can be
  // found, and its records fit beside it. False: there is none.
  bool clean_emptiest(double live_share_max);
  // Cleans all of them, the emptiest first so that a full device gets room on the way, and goes on
  // after a failure. Error: the first failure.
  Status clean_all(std::set<uint64_t> numbers);

 private:
  // How many bytes the records left in a segment take elsewhere, footers included.
  int64_t moved_bytes_of(uint64_t number) const;
  // Damaged records are taken off the list.
  Status move_survivors(std::vector<IndexEntry>& survivors);
  // False: the record is damaged, and found no more.
  Result<bool> move_record(const IndexEntry& entry, std::vector<std::byte>& payload);
  // Finds records again at their old place if a failed sync lost their new copies. Returns how many
  // these are.
  int64_t restore(const std::vector<IndexEntry>& survivors);

  SegmentLog& log_;
  SharedIndex& index_;
  Metrics& metrics_;
  RecordReader& reader_;
  RecordWriter& writer_;
  int64_t budget_bytes_;
};

}  // namespace kvasir::store
