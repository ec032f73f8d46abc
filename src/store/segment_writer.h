// A SegmentWriter appends records to one segment file. It owns the open file. One thread uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "kvasir/result.h"
#include "store/file_system.h"
#include "store/segment.h"

namespace kvasir::store {

class SegmentWriter {
 public:
  // Error: the file exists or cannot be made.
  static Result<SegmentWriter> create(FileSystem& files, const std::string& path, uint64_t number);
  // Goes on behind the last record of an existing segment, and cuts off a footer or a torn record
  // there. Error: I/O.
  static Result<SegmentWriter> resume(FileSystem& files, const std::string& path, uint64_t number,
                                      SegmentContents contents);

  uint64_t number() const { return number_; }
  int64_t end_bytes() const { return end_bytes_; }
  int64_t record_count() const { return std::ssize(records_); }
  int64_t unsynced_bytes() const { return unsynced_bytes_; }
  double unsynced_ms() const { return unsynced_bytes_ == 0 ? 0 : since_sync_.elapsed_ms(); }
  // True if a failed write could not be cut off: nothing more may be written here.
  bool is_broken() const { return is_broken_; }
  // Returns the size of the file in bytes, which is larger than end_bytes() when broken.
  int64_t size_on_disk();

  // Returns the record's offset in bytes. Error: I/O; the record was not added.
  Result<int64_t> append(const RecordInfo& info, std::span<const int32_t> tokens,
                         std::span<const std::byte> payload);
  // Writes the footer; nothing may be appended after it.
  Status write_footer();
  // Error: I/O; any record in this file may be lost.
  Status sync();

 private:
  SegmentWriter(std::string path, uint64_t number, std::unique_ptr<File> file)
      : path_(std::move(path)), number_(number), file_(std::move(file)) {}

  Status write_record(const RecordInfo& info, std::span<const int32_t> tokens,
                      std::span<const std::byte> payload);
  void count_unsynced(int64_t bytes);
  void cut_off_tail();

  std::string path_;
  uint64_t number_;
  std::unique_ptr<File> file_;
  std::vector<PlacedRecord> records_;
  int64_t end_bytes_ = 0;
  int64_t unsynced_bytes_ = 0;
  Stopwatch since_sync_;  // since the first byte that is not synced
  bool is_broken_ = false;
};

}  // namespace kvasir::store
