// Segment: an append-only file of records. Here is what a segment says about itself: by its footer
// where it has one, else by scanning it page by page and checking every payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "store/file_system.h"
#include "store/footer.h"

namespace kvasir::store {

std::string segment_file_name(uint64_t number);
std::optional<uint64_t> parse_segment_file_name(std::string_view name);

struct SegmentContents {
  std::vector<PlacedRecord> records;  // by offset
  int64_t records_end_bytes = 0;      // where the last record ends; a footer may follow
  int64_t file_bytes = 0;
  bool has_footer = false;
  // Something in it was written as this segment, or nothing was written yet. False: another file
  // under a segment's name.
  bool is_this_segment = true;
};

// What is wrong with a record found at a place, for reports.
struct RecordDamage {
  int64_t offset_bytes = 0;
  std::string expected;
  std::string found;
};

// Whether an error of reading a record says that its bytes are not there any more. All other errors
// say nothing of them.
bool is_lost(const Error& error);

// Error: the file cannot be opened or read at all, or (kUnsupported) another version of the format
// is in it. Damage inside costs the damaged records only.
Result<SegmentContents> load_segment(FileSystem& files, const std::string& path, uint64_t number);

// The same without trusting a footer: every header and every payload is read. Pages that belong to
// no whole record are reported to `damages` where it is given.
Result<SegmentContents> scan_segment(File& file, const std::string& path, uint64_t number,
                                     std::vector<RecordDamage>* damages);

// The header at `offset_bytes`. Null: damaged, or of another place. Error: unreadable, or
// (kUnsupported) of another version.
Result<std::optional<RecordHeader>> read_header(File& file, const std::string& path,
                                                uint64_t number, int64_t offset_bytes);

}  // namespace kvasir::store
