// A Budget keeps the segment files of a store within their bytes: it evicts records by value and
// lets the Cleaner give their space back.
//
// Two limits hold at once. The files never hold more than budget_bytes, and min_free_bytes of the
// device are left to others. Before a record is added the files must be smaller than the budget by
// 1.25 segments, because cleaning writes before it deletes. Example: of 16 GiB with segments of
// 256 MiB, records fill 15.69 GiB. If the device then has only 0.5 GiB free and 1 GiB is to be left
// to others, the files shrink by 0.5 GiB.
//
// The BlockStore that owns it also owns all it works on. It is not thread-safe: every call needs
// the store's write mutex. Readers may go on meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kvasir/result.h"
#include "store/cleaner.h"
#include "store/file_system.h"
#include "store/store_clock.h"

namespace kvasir::store {

struct BudgetOptions {
  std::string directory;          // of the store
  int64_t budget_bytes = 0;       // of all segment files together
  int64_t min_free_bytes = 0;     // of the device
  int64_t segment_bytes_max = 0;  // of one file
};

// The size of a segment under that budget: a sixteenth, but at least 256 KiB and at most that many.
int64_t segment_bytes_within(int64_t budget_bytes, int64_t segment_bytes_max);

class Budget {
 public:
  Budget(FileSystem& files, SegmentLog& log, SharedIndex& index, Metrics& metrics,
         StoreClock& clock, Cleaner& cleaner, BudgetOptions options);

  // Frees so much that a record of that many bytes may be added. False: everything else is held or
  // kept. A record that even an empty store could not take evicts nothing.
  bool make_room(int64_t record_bytes);
  // Says why make_room() returned false.
  Error why_no_room(int64_t record_bytes) const;
  // Evicts and cleans until the files hold at most that many bytes or nothing more can go.
  void shrink_to(int64_t bytes);

 private:
  // Both return what the files may hold before a record is added; the first leaves the device's
  // free space out.
  int64_t budget_limit_bytes() const;
  int64_t limit_bytes() const;
  // Evicts a portion at a time. False: nothing more can go.
  bool shrink(int64_t goal_bytes, const std::function<int64_t()>& portion_bytes);
  // Returns how many bytes were evicted.
  int64_t evict(int64_t bytes);

  FileSystem& files_;
  SegmentLog& log_;
  SharedIndex& index_;
  Metrics& metrics_;
  StoreClock& clock_;
  Cleaner& cleaner_;
  BudgetOptions options_;
};

}  // namespace kvasir::store
