// Store: the directory where caches outlive a process. An engine that is given one continues from
// it and saves to it (engine.h); here is what a person does with it: look, check, keep, hand on,
// delete.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

enum class StoreDurability : uint8_t {
  kNone,    // a power failure may cost everything since the last start
  kBatch,   // at most the last second, or 32 MiB
  kStrict,  // nothing that counts as stored
};

struct StoreOptions {
  std::string directory;
  int64_t budget_bytes = int64_t{16} << 30;   // all segment files together never hold more
  int64_t min_free_bytes = int64_t{1} << 30;  // of the device, left to others
  StoreDurability durability = StoreDurability::kBatch;
  // Caches written under one salt are not found under another.
  std::string salt;
  bool read_only = false;
};

// What a store did since it was opened.
struct StoreMetrics {
  bool is_writer = true;         // false: another process writes the store, nothing is saved
  int64_t lookups = 0;           // prefixes looked for
  int64_t requested_tokens = 0;  // of these lookups
  int64_t hit_tokens = 0;        // of these, continued from
  int64_t ram_read_blocks = 0;   // shared with another session of this process
  int64_t ram_read_bytes = 0;
  int64_t disk_read_records = 0;
  int64_t disk_read_bytes = 0;
  double disk_read_seconds = 0;  // summed over reads that ran at the same time
  int64_t written_records = 0;
  int64_t written_bytes = 0;  // headers and padding included
  double write_seconds = 0;
  int64_t duplicate_puts = 0;   // records that were there already
  int64_t verify_failures = 0;  // reads whose bytes were not those put: recomputed
  int64_t io_failures = 0;
  int64_t no_room = 0;  // saves refused because all is in use or pinned
  int64_t evicted_states = 0;
  int64_t evicted_blocks = 0;
  int64_t evicted_bytes = 0;
  int64_t cleaned_segments = 0;
  int64_t rewritten_bytes = 0;   // survivors of cleaned segments
  int64_t dropped_segments = 0;  // lost to a failed sync
};

}  // namespace kvasir
