// A SegmentLog owns the segment files of a store's directory. It appends to the newest one until
// that is full; all others are immutable and end in a footer.
//
// After a failed write the bytes behind the last whole record are cut off. After a failed sync the
// whole segment is dropped and never synced again, because the system may have lost any of it. One
// thread at a time writes, syncs and removes; any number may call file() and direct_file()
// meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvasir/result.h"
#include "kvasir/store.h"
#include "store/file_system.h"
#include "store/kept_segments.h"
#include "store/segment.h"
#include "store/segment_writer.h"

namespace kvasir::store {

using Durability = StoreDurability;

struct SegmentLogOptions {
  std::string directory;
  std::optional<int64_t> owner;  // whose files may be changed; none: this log only reads
  int64_t segment_bytes_max = int64_t{256} << 20;
  Durability durability = Durability::kBatch;
  int64_t unsynced_bytes_max = int64_t{32} << 20;
  double unsynced_ms_max = 1000;
};

// A Place is where a record lies.
struct Place {
  uint64_t segment_number = 0;
  int64_t offset_bytes = 0;  // of the header
};

// A WriteOutcome says whether writing worked and which segments it cost. The dropped segments lost
// all their records to failed syncs, also where the status is good.
struct WriteOutcome {
  Status status = ok_status();
  std::vector<uint64_t> dropped_segments;

  // Adds the outcome of a later step, whose status is the one that counts.
  void add(WriteOutcome next);
};

class SegmentLog {
 public:
  // The contents of each segment, by number, ascending.
  using Found = std::vector<std::pair<uint64_t, SegmentContents>>;

  // Reads the contents of every segment into `found`. A segment that is to be kept is left out
  // unless its records can be used. Error: the directory cannot be listed, or there is no memory or
  // descriptor to read with.
  static Result<std::unique_ptr<SegmentLog>> open(std::shared_ptr<FileSystem> files,
                                                  const SegmentLogOptions& options, Found& found);

  // Gives footers to older segments that a crash left without one. For the writer, before it
  // appends.
  void recover(const Found& found);

  // Appends a record and sets `place`. It syncs as the durability says.
  WriteOutcome append(const RecordInfo& info, std::span<const int32_t> tokens,
                      std::span<const std::byte> payload, Place& place);
  // Syncs if unsynced_bytes_max or unsynced_ms_max is reached.
  WriteOutcome sync_if_due();
  // Syncs in any case, unless durability is kNone.
  WriteOutcome sync();
  // Ends the active segment with a footer; the next append begins another.
  WriteOutcome seal();
  // Makes created and deleted files last through a power failure, unless durability is kNone.
  Status sync_directory();

  // Nothing more is appended to that segment.
  WriteOutcome freeze(uint64_t number);

  // Deletes a frozen segment. A segment that is gone already is no error.
  Status remove(uint64_t number);

  // Opens a segment for reading. Error: it is gone (kNotFound), or cannot be opened.
  Result<std::shared_ptr<File>> file(uint64_t number);
  // The same past the page cache, for many pages at once.
  Result<std::shared_ptr<File>> direct_file(uint64_t number);

  // Returns the file size of each segment, by number, in bytes.
  std::map<uint64_t, int64_t> segments() const;
  bool has_segment(uint64_t number) const;
  int64_t file_bytes() const;
  // Returns how many bytes ending the active segment will add to it.
  int64_t pending_footer_bytes() const {
    return active_ ? footer_bytes(active_->record_count()) : 0;
  }
  uint64_t active_number() const { return active_ ? active_->number() : 0; }
  // Segments that are never written, shortened or deleted.
  KeptSegments kept() const;
  bool is_kept(uint64_t number) const;
  int64_t kept_bytes() const;
  // Keeps that segment from now on, for a reason that reading it has shown.
  void keep(uint64_t number, KeptSegment why);
  std::string path_of(uint64_t number) const;

 private:
  SegmentLog(std::shared_ptr<FileSystem> files, const SegmentLogOptions& options)
      : files_(std::move(files)), options_(options) {}

  WriteOutcome make_active_ready(int64_t record_bytes);
  Status begin_segment();
  Status continue_segment();
  void drop_active(WriteOutcome& outcome);
  void leave_broken_segment(WriteOutcome& outcome);
  void sync_newest();
  // Null: the segment is left out.
  Result<std::optional<SegmentContents>> load(uint64_t number);
  void note_size(uint64_t number, int64_t file_bytes);
  void forget(uint64_t number);
  using Files = std::map<uint64_t, std::shared_ptr<File>>;
  Result<std::shared_ptr<File>> file_of(uint64_t number, Files& files, OpenMode mode);

  std::shared_ptr<FileSystem> files_;
  SegmentLogOptions options_;
  std::optional<SegmentWriter> active_;
  // The newest segment as it was found, where the first append may go on in it.
  std::optional<std::pair<uint64_t, SegmentContents>> newest_;
  uint64_t next_number_ = 1;

  mutable std::mutex mutex_;  // guards what follows
  KeptSegments kept_;
  std::map<uint64_t, int64_t> file_bytes_;
  // Open files, at most kOpenFilesMax of each kind.
  Files readers_;
  Files direct_files_;
};

}  // namespace kvasir::store
