// A Store is the directory where caches outlive a process. An engine continues from it and saves to
// it (engine.h). This header is for the person who looks after it: look, check, keep, hand on,
// delete.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

enum class StoreDurability : uint8_t {
  kNone,    // a power failure may cost everything since the last start
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
  bool read_only = false;
  bool must_exist = false;  // error where there is no store yet, instead of making one
};

// A StoredRun is a stretch of stored tokens, up to where another text branches off or to an end.
// Runs form trees.
struct StoredRun {
  std::string key;         // hex; names all tokens up to token_end
  std::string parent;      // the run that this one continues; empty: it begins at token 0
  std::string model;       // fingerprint, hex
  std::string model_path;  // where that model was last seen; may be empty
  int64_t token_begin = 0;
  int64_t token_end = 0;
  int64_t bytes = 0;            // on disk, headers and padding included
  std::vector<int64_t> states;  // positions a session can continue from
  double hits = 0;              // of its states, halved every day
  int64_t last_used_s = 0;      // seconds since 1970; when it was written if never used
  bool is_pinned = false;
  std::string pin_name;
  std::vector<int32_t> first_tokens;  // some, for people to recognise it by
};

struct StoreSummary {
  std::string directory;
  int64_t file_bytes = 0;  // of all segment files
  int64_t live_bytes = 0;  // of these, records that can be found
  int64_t segment_count = 0;
  int64_t unreadable_segment_count = 0;  // kept as they are (Store::notes), their contents not used
  int64_t unreadable_bytes = 0;
  int64_t block_count = 0;
  int64_t state_count = 0;
  int64_t run_count = 0;
  int64_t model_count = 0;
  int64_t pin_count = 0;
};

struct StoreDamage {
  std::string path;
  int64_t offset_bytes = 0;
  std::string expected;
  std::string found;
};

struct ImportReport {
  int64_t records = 0;
  int64_t new_records = 0;  // the others were there already
  int64_t bytes = 0;
  int64_t token_end = 0;
  std::string key;  // of the conversation's last block
};

// Called with the bytes done and in all. Returns false to stop.
using StoreProgress = std::function<bool(int64_t done_bytes, int64_t total_bytes)>;

// A StoreMetric counts something that a store did since it was opened.
enum class StoreMetric : uint8_t {
  kLookups,          // prefixes looked for
  kRequestedTokens,  // of these lookups
  kHitTokens,        // of these, continued from
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

// A Store object manages one directory, on one thread. Keys are hex, and may be shortened as long
// as only one run fits. With StoreOptions::read_only nothing is locked or changed.
class Store {
 public:
  // Error: there is no such store (reading, or StoreOptions::must_exist), another process writes it
  // or another user owns it (writing).
  static Result<Store> open(const StoreOptions& options);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // What a person should know of it: files that are kept as they are, and why; what cannot be
  // saved.
  std::vector<Error> notes() const;

  // Lists all runs, parents before what continues them.
  std::vector<StoredRun> list();
  StoreSummary summary();
  // Metrics summed over all processes that wrote here so far.
  StoreMetrics totals();

  // Reads every byte of every segment. With `repair` (writing) damaged records are removed. What
  // cannot be read, or another version wrote, is not damaged: notes() say so.
  Result<std::vector<StoreDamage>> verify(bool repair, const StoreProgress& progress = {});

  // Pinned runs and what they continue are never evicted.
  Status pin(const std::string& key, const std::string& name);
  Status unpin(const std::string& key);

  // Each returns the bytes that the files became smaller by.
  // Removes a run and all that continues it. Error: something of it is pinned.
  Result<int64_t> remove(const std::string& key);
  // Removes runs that were not used after that time, with all that continues them; pinned ones
  // stay.
  Result<int64_t> remove_unused_since(int64_t time_s);
  // Removes what is worth least until the files hold at most that much; pinned runs stay.
  Result<int64_t> shrink_to(int64_t bytes);
  // Removes everything, pinned or not, but for what is kept as it is.
  Result<int64_t> clear();

  // Writes one conversation, from its first token to the end of that run, to a file for another
  // machine. Error: the file exists, or part of the conversation is missing.
  Result<ImportReport> export_to(const std::string& key, const std::string& path);
  // Takes such a file into the store, after every byte and every key of it was checked.
  Result<ImportReport> import_from(const std::string& path);

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
