// Metrics: what a store did since it was opened. Counters that only grow; any thread may add and
// read.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvasir::store {

struct Counter {
  std::atomic<int64_t> value{0};
  void add(int64_t n) { value.fetch_add(n, std::memory_order_relaxed); }
  int64_t get() const { return value.load(std::memory_order_relaxed); }
};

struct Metrics {
  Counter lookups;           // prefixes looked for
  Counter requested_tokens;  // of these lookups
  Counter hit_tokens;        // of these, found and resumed from
  Counter ram_read_blocks;   // found in memory, in another session
  Counter ram_read_bytes;
  Counter disk_read_records;
  Counter disk_read_bytes;
  Counter disk_read_us;
  Counter written_records;
  Counter written_bytes;  // headers and padding included
  Counter write_us;
  Counter duplicate_puts;   // already there: nothing was written
  Counter verify_failures;  // reads whose bytes were not those put
  Counter io_failures;
  Counter no_room;  // puts refused because all is in use or pinned
  Counter evicted_states;
  Counter evicted_blocks;
  Counter evicted_bytes;
  Counter cleaned_segments;
  Counter rewritten_bytes;   // survivors of cleaned segments
  Counter dropped_segments;  // after a failed sync
};

}  // namespace kvasir::store
