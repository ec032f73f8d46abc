#include "store/file_io.h"

#include <cerrno>

#include "base/system_error.h"

namespace kvasir::store {
namespace {

// A few interruptions by signals are ordinary; a call that is always interrupted has failed.
constexpr int kInterruptionsMax = 100;

}  // namespace

Result<std::unique_ptr<File>> open_file(FileSystem& files, const std::string& path, OpenMode mode,
                                        const char* what) {
  for (int interruptions = 0;;) {
    Opened<File> opened = files.open(path, mode);
    if (opened.object) return std::move(opened.object);
    if (opened.error == EINTR && ++interruptions < kInterruptionsMax) continue;
    return system_error(what, path, opened.error);
  }
}

IoResult read_whole(File& file, int64_t offset_bytes, std::span<std::byte> out) {
  IoResult whole;
  int interruptions = 0;
  while (whole.count < std::ssize(out)) {
    const IoResult result =
        file.read(offset_bytes + whole.count, out.subspan(static_cast<size_t>(whole.count)));
    if (result.error == EINTR && ++interruptions < kInterruptionsMax) continue;
    whole.error = result.error;
    if (!result.ok() || result.count == 0) break;
    whole.count += result.count;
  }
  return whole;
}

Status read_all(File& file, const std::string& path, int64_t offset_bytes,
                std::span<std::byte> out) {
  const IoResult result = read_whole(file, offset_bytes, out);
  if (result.ok() && result.count == std::ssize(out)) return ok_status();
  Error error = system_error("cannot read", path, result.error);
  error.offset = static_cast<uint64_t>(offset_bytes + result.count);
  if (result.ok()) {
    error.kind = ErrorKind::kDamaged;
    error.expected = std::to_string(out.size()) + " bytes";
    error.found = std::to_string(result.count) + " before the end";
  }
  return error;
}

Status write_all(File& file, const std::string& path, int64_t offset_bytes,
                 std::span<const std::byte> bytes) {
  int interruptions = 0;
  while (!bytes.empty()) {
    const IoResult result = file.write(offset_bytes, bytes);
    if (result.error == EINTR && ++interruptions < kInterruptionsMax) continue;
    if (!result.ok() || result.count == 0) {
      Error error = system_error("cannot write", path, result.ok() ? ENOSPC : result.error);
      error.offset = static_cast<uint64_t>(offset_bytes);
      return error;
    }
    offset_bytes += result.count;
    bytes = bytes.subspan(static_cast<size_t>(result.count));
  }
  return ok_status();
}

Result<int64_t> size_of(File& file, const std::string& path) {
  const IoResult result = file.size();
  if (!result.ok()) return system_error("cannot read the size", path, result.error);
  return result.count;
}

}  // namespace kvasir::store
