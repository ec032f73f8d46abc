// A BlockStore keeps payloads by key in a directory of segment files, within a byte budget. It
// knows bytes and keys, never what the bytes mean.
//
// NEVER WRONG DATA: read() gives back exactly the bytes that were put under that id, or nothing.
// A record that fails its digest is counted and forgotten, and the next put writes it anew; its old
// bytes stay in the segment until that is cleaned. A record that could not be read for want of a
// descriptor or of memory stays. A record that the device refused is written anew by the next put.
// A record is found only after all of it was written.
//
// A directory has one writer (a lock) and any number of readers; each reader knows the records that
// it found when it opened. The store owns its parts and the lock that changes need. All functions
// may be called from any thread. Finding, using and holding records waits for no work on the store
// as a whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvasir/result.h"
#include "kvasir/store.h"
#include "store/batch_reader.h"
#include "store/budget.h"
#include "store/cleaner.h"
#include "store/directory_claim.h"
#include "store/file_system.h"
#include "store/metrics.h"
#include "store/piece_source.h"
#include "store/record_reader.h"
#include "store/record_writer.h"
#include "store/segment_log.h"
#include "store/shared_index.h"
#include "store/store_clock.h"
#include "store/verifier.h"

namespace kvasir::store {

struct BlockStoreOptions {
  std::string directory;
  bool is_writer = true;
  bool may_only_read = false;                 // a writer that cannot be one reads, and notes why
  bool must_exist = false;                    // error where there is no store yet
  int64_t budget_bytes = int64_t{16} << 30;   // of all segment files together, never passed
  int64_t min_free_bytes = int64_t{1} << 30;  // of the device, left to others
  int64_t segment_bytes_max = int64_t{256} << 20;  // less where the budget is small
  Durability durability = Durability::kBatch;
  std::function<int64_t()> now_s;  // seconds since 1970; the system's clock when empty
};

enum class PutOutcome : uint8_t {
  kWritten,
  kPresent,
  kNoRoom,  // all that could be given up is in use or pinned
};

// A NewRecord describes a payload; the store adds digest, length and sequence number.
struct NewRecord {
  RecordId id;
  Key parent{};
  Key model{};
  int64_t token_begin = 0;
  std::span<const int32_t> tokens;  // of a block
};

struct StoreSize {
  int64_t file_bytes = 0;  // of all segments
  int64_t live_bytes = 0;  // of the records that can be read
  int64_t segment_count = 0;
  int64_t unreadable_segment_count = 0;  // segments whose contents are not used
  int64_t unreadable_bytes = 0;          // of these
};

class BlockStore {
 public:
  // A writer creates the directory. Error: it cannot be made or listed; another writer has it; it
  // belongs to another user.
  static Result<std::unique_ptr<BlockStore>> open(std::shared_ptr<FileSystem> files,
                                                  BlockStoreOptions options);
  // Ends the active segment with a footer and syncs it.
  ~BlockStore();

  bool is_writer() const { return claim_.is_writer(); }
  // The user whose files it may change; none: it reads only.
  std::optional<int64_t> owner() const { return claim_.owner; }

  std::optional<RecordInfo> find(const RecordId& id) const;
  // Fills `payload` with exactly the bytes that were put. Error: there is no such record
  // (kNotFound); it is damaged or has another length (kDamaged); it could not be read now (any
  // other kind), which says nothing of its bytes.
  Status read(const RecordId& id, std::span<std::byte> payload);
  // Returns the ids of a block's tokens, from its header. Errors are those of read().
  Result<std::vector<int32_t>> read_tokens(const RecordId& id);

  // Reads the first bytes of a block of payload_bytes into `head`. A PieceReader reads the rest
  // later, with the source that is returned. Null: the block is not here, damaged, of another
  // length, or written without checks of its pieces.
  std::optional<PieceSource> open_pieces(const RecordId& id, int64_t payload_bytes,
                                         std::span<std::byte> head);

  // What a PieceReader reads pieces with.
  RecordReader& record_reader() { return reader_; }
  std::unique_ptr<BatchReader> make_batch_reader() { return files_->make_batch_reader(); }

  // Writes a record unless it is here. Error: I/O; the store goes on without the record.
  Result<PutOutcome> put(const NewRecord& record, std::span<const std::byte> payload);
  // All records are on the device when it returns without error. With durability kNone it does
  // nothing. Error: I/O; records that were not on the device are lost.
  Status sync();
  // Syncs if records have waited long enough (SegmentLogOptions); to be called now and then.
  Status sync_if_due();

  // Counts a use of a state, now.
  void touch(const RecordId& id);
  // While a key is held, its block, its state and the blocks before them are not evicted. A key
  // that was held twice must be released twice.
  void hold(const Key& key);
  void release(const Key& key);

  // Forgets records and cleans the segments they lay in, so that their bytes are gone. Error: a
  // segment could not be cleaned; the bytes in it are still on disk.
  Status remove(std::span<const RecordId> ids);
  // Deletes every segment that is not kept (notes). Error: I/O; the segments after it stay.
  Status clear();
  // Shrinks a store that was written under a larger budget to the present one. It is to be called
  // once holds and use counts are known.
  void shrink_to_budget();
  // Says what a person should know: why nothing is saved, which files are kept and why.
  std::vector<Error> notes() const;
  // Evicts by value until the files hold at most that many bytes.
  Status shrink_to(int64_t bytes);
  // Reads every byte of every segment, lists damaged records and forgets them. With `repair` their
  // segments are cleaned. Error: I/O of writing; unreadable files are kept and no error.
  Result<std::vector<StoreDamage>> verify(bool repair, const StoreProgress& progress);

  std::vector<IndexEntry> entries() const;
  // Those that hang on that block, or on that root.
  std::vector<IndexEntry> children_of(const Key& parent) const;
  StoreSize size() const;
  const Metrics& metrics() const { return metrics_; }
  Metrics& metrics() { return metrics_; }
  void set_use_count(const RecordId& id, const UseCount& use_count);

 private:
  BlockStore(std::shared_ptr<FileSystem> files, DirectoryClaim claim,
             std::unique_ptr<SegmentLog> log, const BlockStoreOptions& options);

  void insert_all(const SegmentLog::Found& found);
  // REQUIRES: write_mutex_ is held.
  Result<PutOutcome> put_locked(const NewRecord& record, std::span<const std::byte> payload);

  std::shared_ptr<FileSystem> files_;
  DirectoryClaim claim_;
  std::unique_ptr<SegmentLog> log_;
  Metrics metrics_;
  SharedIndex index_;
  StoreClock clock_;
  std::atomic<uint64_t> next_sequence_number_ = 1;

  RecordReader reader_;

  // Whoever changes files holds it. It is locked before the mutexes inside the index and the log.
  mutable std::mutex write_mutex_;
  // These three are used under write_mutex_ only.
  RecordWriter writer_;
  Cleaner cleaner_;
  Budget budget_;
  std::optional<Error> no_room_;  // why the first record was refused
};

}  // namespace kvasir::store
