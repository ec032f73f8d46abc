#include "store/file_io.h"

#include <cerrno>
#include <cstring>

namespace kvasir::store {
namespace {

// A signal now and then is ordinary; a call that never gets through is not.
constexpr int kInterruptionsMax = 100;

}  // namespace

Error io_error(const std::string& what, const std::string& path, int error_number) {
  return Error{.what = what, .where = path, .found = std::strerror(error_number)};
}

Status read_all(File& file, const std::string& path, int64_t offset_bytes,
                std::span<std::byte> out) {
  const size_t wanted = out.size();
  int interruptions = 0;
  while (!out.empty()) {
    const IoResult result = file.read(offset_bytes, out);
    if (result.error == EINTR && ++interruptions < kInterruptionsMax) continue;
    if (!result.ok() || result.count == 0) {
      Error error = io_error("cannot read", path, result.error);
      error.offset = static_cast<uint64_t>(offset_bytes);
      if (result.ok()) {
        error.expected = std::to_string(wanted) + " bytes";
        error.found = std::to_string(wanted - out.size()) + " before the end";
      }
      return error;
    }
    offset_bytes += result.count;
    out = out.subspan(static_cast<size_t>(result.count));
  }
  return ok_status();
}

Status write_all(File& file, const std::string& path, int64_t offset_bytes,
                 std::span<const std::byte> bytes) {
  int interruptions = 0;
  while (!bytes.empty()) {
    const IoResult result = file.write(offset_bytes, bytes);
    if (result.error == EINTR && ++interruptions < kInterruptionsMax) continue;
    if (!result.ok() || result.count == 0) {
      Error error = io_error("cannot write", path, result.ok() ? ENOSPC : result.error);
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
  if (!result.ok()) return io_error("cannot read the size", path, result.error);
  return result.count;
}

}  // namespace kvasir::store
