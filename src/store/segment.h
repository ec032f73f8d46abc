// A segment is an append-only file of records. These functions read what is in one: by its footer
// where it has one, else by scanning it page by page and checking every payload.
//
// They keep nothing, and any thread may call them.
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
  // True if some page was written as this segment, or none was written yet. False: another file
  // has the name of a segment.
  bool is_this_segment = true;
};

// A RecordDamage says what is wrong at a place, for reports.
struct RecordDamage {
  int64_t offset_bytes = 0;
  std::string expected;
  std::string found;
};

// Whether an error of reading a record says that its bytes are lost. All other errors say nothing
// of the bytes.
bool is_lost(const Error& error);

// Error: the file cannot be opened or read at all, or (kUnsupported) another version of the format
// is in it. Damage inside costs the damaged records only.
Result<SegmentContents> load_segment(FileSystem& files, const std::string& path, uint64_t number);

// Reads a segment without trusting a footer: it reads every header and every payload. Pages that
// belong to no whole record are reported to `damages` where that is given. Errors are as above.
Result<SegmentContents> scan_segment(File& file, const std::string& path, uint64_t number,
                                     std::vector<RecordDamage>* damages);

// Reads the header at `offset_bytes`. Null: it is damaged, or was written for another place. Error:
// it cannot be read, or (kUnsupported) another version wrote it.
Result<std::optional<RecordHeader>> read_header(File& file, const std::string& path,
                                                uint64_t number, int64_t offset_bytes);

}  // namespace kvasir::store
