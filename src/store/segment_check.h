// check_segment() checks every byte of a segment file: records, their padding, and the footer. It
// keeps nothing, and any thread may call it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/file_system.h"
#include "store/segment.h"

namespace kvasir::store {

// Called with the bytes that were checked since the last call; false stops.
using CheckProgress = std::function<bool(int64_t bytes)>;

// Lists everything that is not as it was written. Error: the file cannot be opened or read, or
// (kUnsupported) another version wrote it.
Result<std::vector<RecordDamage>> check_segment(FileSystem& files, const std::string& path,
                                                uint64_t number, const CheckProgress& progress);

}  // namespace kvasir::store
