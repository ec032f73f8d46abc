#include "checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/system_error.h"

namespace kvasir {
namespace {

Result<std::span<const std::byte>> map_descriptor(int descriptor, const std::string& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return system_error("cannot stat file", path, errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a file that can be mapped",
                 .where = path,
                 .expected = "a regular file",
                 .found = S_ISDIR(status.st_mode) ? "a directory" : "a special file"};
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return std::span<const std::byte>();
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) return system_error("cannot map file", path, errno);
  return std::span(static_cast<const std::byte*>(address), size);
}

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_error("cannot open file", path, errno);
  auto bytes = map_descriptor(descriptor, path);
  ::close(descriptor);
  if (!bytes) return std::move(bytes).error();
  return std::unique_ptr<MappedFile>(new MappedFile(path, *bytes));
}

MappedFile::MappedFile(std::string path, std::span<const std::byte> bytes)
    : path_(std::move(path)), bytes_(bytes) {}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool path_exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace kvasir
