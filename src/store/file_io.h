// These functions read and write whole spans with the single calls of FileSystem and File.
//
// They continue short calls and repeat interrupted ones; any other failure is an Error that names
// path, offset and cause. They keep nothing and may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kvasir/result.h"
#include "store/file_system.h"

namespace kvasir::store {

// Error: the system refused, which says nothing of the file's contents. what: "cannot open ...".
Result<std::unique_ptr<File>> open_file(FileSystem& files, const std::string& path, OpenMode mode,
                                        const char* what);

// Returns the count of bytes read: fewer than asked for, without an errno, if the file ends before.
IoResult read_whole(File& file, int64_t offset_bytes, std::span<std::byte> out);

// Error: the call failed, or (kDamaged) the file ends before `out` is full.
Status read_all(File& file, const std::string& path, int64_t offset_bytes,
                std::span<std::byte> out);
Status write_all(File& file, const std::string& path, int64_t offset_bytes,
                 std::span<const std::byte> bytes);
Result<int64_t> size_of(File& file, const std::string& path);

}  // namespace kvasir::store
