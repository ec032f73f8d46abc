// A StoreAdmin is for the person who looks after a store: it lists, checks, pins, hands on and
// deletes what is kept there. It owns the open directory and is used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/remote_admin.h"
#include "kvasir/result.h"
#include "kvasir/store.h"

namespace kvasir {

// A StoredRun is a stretch of stored tokens, up to where another text branches off or to an end.
// Runs form trees.
struct StoredRun {
  std::string key;         // hex; names all tokens up to token_end
  std::string parent;      // the run that this one continues; empty: it begins at token 0
  std::string model;       // fingerprint, hex
  std::string model_path;  // where that model was last seen; may be empty
  std::string root;        // Engine::store_root of who finds it; of salts of sessions another one
  int64_t token_begin = 0;
  int64_t token_end = 0;
  int64_t bytes = 0;            // on disk, headers and padding included
  std::vector<int64_t> states;  // positions a session can continue from
  double hits = 0;              // of its states, halved every day
  int64_t last_used_s = 0;      // seconds since 1970; when it was written if never used
  bool is_pinned = false;
  std::string pin_name;
  std::vector<int32_t> first_tokens;  // of its first block, for people to recognise it by
};

struct StoreSummary {
  std::string directory;
  int64_t file_bytes = 0;  // of all segment files
  int64_t live_bytes = 0;  // of these, records that can be found
  int64_t segment_count = 0;
  // Files that are kept as they are, their contents not used; StoreAdmin::notes says why.
  int64_t unreadable_segment_count = 0;
  int64_t unreadable_bytes = 0;
  int64_t block_count = 0;
  int64_t state_count = 0;
  int64_t run_count = 0;
  int64_t model_count = 0;
  int64_t pin_count = 0;
};

struct ImportReport {
  int64_t records = 0;
  int64_t new_records = 0;  // the others were there already
  int64_t bytes = 0;
  int64_t token_end = 0;
  std::string key;  // of the conversation's last block
};

// A StoreAdmin manages one directory, on one thread. Keys are hex, and may be shortened as long
// as only one run fits. With StoreOptions::read_only nothing is locked or changed.
class StoreAdmin {
 public:
  // Error: there is no such store (reading, or StoreOptions::must_exist), another process writes it
  // or another user owns it (writing).
  static Result<StoreAdmin> open(const StoreOptions& options);
  StoreAdmin(StoreAdmin&&) noexcept;
  StoreAdmin& operator=(StoreAdmin&&) noexcept;
  ~StoreAdmin();

  // Says what a person should know of the store: which files are kept and why, and what cannot be
  // saved.
  std::vector<Error> notes() const;

  // Lists all runs, parents before what continues them.
  std::vector<StoredRun> list();
  // The same without first tokens: these are a read of the disk each.
  std::vector<StoredRun> list_without_tokens();
  // Returns the first tokens of a run of the newest list; empty where they cannot be read.
  std::vector<int32_t> read_first_tokens(const StoredRun& run);
  StoreSummary summary();
  // Sums the metrics of all processes that wrote here so far.
  StoreMetrics totals();
  // The same of their remote tiers.
  RemoteTotals remote_totals();

  // Reads every byte of every segment. With `repair` (writing) damaged records are removed. A file
  // that cannot be read, or that another version wrote, is not damaged; notes() name it.
  Result<std::vector<StoreDamage>> verify(bool repair, const StoreProgress& progress = {});

  // A pinned run and the runs it continues are never evicted. Error: the key fits no run (unpin: no
  // pin) or several; the store is only read; the catalog cannot be written.
  Status pin(const std::string& key, const std::string& name);
  Status unpin(const std::string& key);

  // These four return by how many bytes the files shrank. Error: the store is only read; I/O. What
  // they remove is removed at the engines of StoreOptions::remote too; remote_removals() says so.

  // Removes a run and all that continues it. Error: something of it is pinned.
  Result<int64_t> remove(const std::string& key);
  // Removes runs that were not used after that time (seconds since 1970), with all that continues
  // them; pinned ones stay.
  Result<int64_t> remove_unused_since(int64_t time_s);
  // Removes the least valuable runs until the files hold at most that many bytes; pinned runs stay.
  Result<int64_t> shrink_to(int64_t bytes);
  // Removes everything, pinned or not, but for files that are kept (notes).
  Result<int64_t> clear();

  // Says what became of removed records at each engine, since this was opened.
  const std::vector<RemoteRemoval>& remote_removals() const;

  // Writes one conversation, from its first token to the end of that run, to a file for another
  // machine. Error: the file exists, or part of the conversation is missing.
  Result<ImportReport> export_to(const std::string& key, const std::string& path);
  // Takes such a file into the store, after every byte and every key of it was checked. Error: it
  // is damaged or of another version, or the store has no room.
  Result<ImportReport> import_from(const std::string& path);

 private:
  struct State;
  explicit StoreAdmin(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
