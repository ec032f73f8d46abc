// SimulatedDisk: a FileSystem in memory that can fail any call and lose power.
//
// It keeps what was written and what was synced apart. Every call counts as one operation; a fault
// strikes at a chosen operation, once or from there on. Several threads may open and read
// files at a time; all else is for one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/batch_reader.h"
#include "store/file_system.h"

namespace kvasir::testing {

enum class Fault : uint8_t {
  kNone,
  kIoError,        // EIO
  kNoSpace,        // EIO for reads, ENOSPC for writes
  kInterrupted,    // EINTR
  kShort,          // reads and writes move some of the bytes only
  kSyncFails,      // EIO from sync calls; what was not synced is lost for good
  kFileSyncFails,  // the same, and directories are synced
  kShortThenFail,  // writes move some of the bytes, then ENOSPC
  kShortage,       // EMFILE from opening and locking, ENOMEM from reads
};
// What each operation may do by itself.
inline constexpr Fault kFaults[] = {Fault::kIoError, Fault::kNoSpace,   Fault::kInterrupted,
                                    Fault::kShort,   Fault::kSyncFails, Fault::kShortThenFail,
                                    Fault::kShortage};

class SimulatedDisk : public store::FileSystem, public std::enable_shared_from_this<SimulatedDisk> {
 public:
  explicit SimulatedDisk(int64_t capacity_bytes = int64_t{1} << 40)
      : capacity_bytes_(capacity_bytes) {}

  void set_fault(Fault fault, int64_t operation, bool is_sticky);
  // Called before every operation with its number; what it does on this disk is no operation.
  void set_observer(std::function<void(int64_t operation)> observer) {
    observer_ = std::move(observer);
  }
  int64_t operation_count() const { return operation_count_; }
  // Operations at which a fault struck so far.
  int64_t fault_count() const { return fault_count_; }

  // What a machine finds after power failed now: synced data, and of the rest whatever the seed
  // decides: pages or 512-byte sectors kept, lost or stale, sizes and names old or new.
  std::shared_ptr<SimulatedDisk> after_power_loss(uint64_t seed) const;
  // The same files as they are now, without locks and faults: what another process finds after a
  // kill.
  std::shared_ptr<SimulatedDisk> after_kill() const;

  // Direct access for tests that damage files. Null: no such file.
  std::vector<std::byte>* contents(const std::string& path);
  std::vector<std::string> paths() const;
  // Makes a name stand for something else than a file, or for another user's file.
  void set_kind(const std::string& path, store::FileKind kind) { kinds_[path] = kind; }
  void set_owner(const std::string& path, int64_t owner) { owners_[path] = owner; }
  void set_name_count(const std::string& path, int64_t count) { name_counts_[path] = count; }
  // Opening that file fails.
  void forbid(const std::string& path) { forbidden_.insert(path); }
  void set_read_only() { is_read_only_ = true; }
  int64_t total_bytes() const;
  int64_t peak_bytes() const { return peak_bytes_; }  // the most that all files held at once

  store::FileFacts look(const std::string& path) override;
  int64_t user() override { return 0; }
  store::IoResult owner_of_new_files(const std::string& directory) override;
  store::Opened<store::File> open(const std::string& path, store::OpenMode mode) override;
  store::Opened<store::FileLock> lock(const std::string& path) override;
  store::IoResult make_directory(const std::string& path) override;
  store::IoResult list(const std::string& path, std::vector<std::string>& names) override;
  store::IoResult remove(const std::string& path) override;
  store::IoResult sync_directory(const std::string& path) override;
  store::IoResult free_bytes(const std::string& path) override;
  std::unique_ptr<store::BatchReader> make_batch_reader() override;

 private:
  friend class SimulatedFile;
  friend class SimulatedLock;
  struct Inode {
    std::vector<std::byte> data;
    std::vector<std::byte> synced;
  };
  using Files = std::map<std::string, std::shared_ptr<Inode>>;

  // The fault that strikes this operation.
  Fault next_operation();

  int64_t capacity_bytes_;
  Files files_;
  Files durable_files_;  // names as of the last directory sync
  std::set<std::string> directories_;
  std::set<std::string> durable_directories_;  // as of the last sync of what holds each
  std::set<std::string> locks_;
  std::map<std::string, store::FileKind> kinds_;
  std::map<std::string, int64_t> owners_;
  std::map<std::string, int64_t> name_counts_;
  std::set<std::string> forbidden_;
  bool is_read_only_ = false;
  std::atomic<int64_t> operation_count_ = 0;
  std::atomic<int64_t> fault_count_ = 0;
  int64_t peak_bytes_ = 0;
  Fault fault_ = Fault::kNone;
  int64_t fault_operation_ = 0;
  bool fault_is_sticky_ = false;
  std::function<void(int64_t)> observer_;
};

}  // namespace kvasir::testing
