// These types say how a store is opened and what it counted. A store is a directory where caches
// outlive a process: an engine continues from it and saves to it (engine.h), and a person looks
// after it (store_admin.h). All are plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kvasir/remote.h"

namespace kvasir {

// StoreDurability says how much a power failure may cost.
enum class StoreDurability : uint8_t {
  kNone,    // everything since the last start
  kBatch,   // at most the last 1.25 s, or 32 MiB
  kStrict,  // nothing that counts as stored
};

struct StoreOptions {
  std::string directory;
  int64_t budget_bytes = int64_t{16} << 30;   // all segment files together never hold more
  int64_t min_free_bytes = int64_t{1} << 30;  // of the device, left to others
  StoreDurability durability = StoreDurability::kBatch;
  // Caches written under one salt are not found under another.
  std::string salt;
  // How much of the store Engine::keep may hold for projects in all. For a time it may hold half.
  int64_t project_bytes_max = 0;
  bool read_only = false;
  bool must_exist = false;  // error where there is no store yet, instead of making one
  RemoteOptions remote;     // what stands behind the store, if anything
};

// A StoreDamage names a place in a file whose bytes are not those that were written.
struct StoreDamage {
  std::string path;
  int64_t offset_bytes = 0;
  std::string expected;
  std::string found;
};

// A StoreProgress is called with the bytes done and the bytes in all; it returns false to stop.
using StoreProgress = std::function<bool(int64_t done_bytes, int64_t total_bytes)>;

struct SessionOptions {
  // With a store, sessions of one salt share nothing with those of another: neither what is stored
  // nor what lives in memory. Empty: sessions share what the store's own salt lets them. What is
  // evicted from a full store is chosen so that no salt pushes out all of another's.
  std::string salt;
};

// A Keep says what of a text is not to be evicted, and for how long.
struct Keep {
  int64_t token_count = 0;  // of its beginning; the whole blocks of it are kept
  int64_t seconds = 0;      // ends with the process at the latest
  // Not empty: of that project, until another beginning takes its place, also in later processes.
  std::string project;
};

// A StoredLikeness says what a store has that begins as some tokens do.
struct StoredLikeness {
  int64_t same_tokens = 0;      // of the beginning, that the nearest stored text has too
  std::vector<int32_t> others;  // that it has behind these, some
};

// A StoreMetric counts something that a store did since it was opened.
enum class StoreMetric : uint8_t {
  kLookups,          // prefixes looked for
  kRequestedTokens,  // of these lookups
  kHitTokens,        // of the requested tokens, those that were found and not computed
  kRamReadBlocks,    // shared with another session of this process
  kRamReadBytes,
  kDiskReadRecords,
  kDiskReadBytes,
  kDiskReadUs,  // summed over reads that ran at the same time
  kPieceReads,  // parts of blocks, for rows that were not in memory
  kPieceReadBytes,
  kPieceReadUs,
  kWrittenRecords,
  kWrittenBytes,  // headers and padding included
  kWriteUs,
  kDuplicatePuts,   // the record was there already
  kVerifyFailures,  // reads whose bytes were not those put; recomputed
  kIoFailures,
  kNoRoom,  // saves refused because all is in use or pinned
  kEvictedStates,
  kEvictedBlocks,
  kEvictedBytes,
  kCleanedSegments,
  kRewrittenBytes,   // survivors of cleaned segments
  kDroppedSegments,  // lost to a failed sync
};
inline constexpr size_t kStoreMetricCount = 24;

// "lookups", "requested_tokens", ...
const char* name_of(StoreMetric metric);

struct StoreMetrics {
  std::array<int64_t, kStoreMetricCount> values{};
  int64_t operator[](StoreMetric metric) const { return values[static_cast<size_t>(metric)]; }
};

}  // namespace kvasir
