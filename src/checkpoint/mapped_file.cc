#include "checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "base/system_error.h"

namespace kvasir {
namespace {

struct Mapping {
  std::span<const std::byte> bytes;
  int64_t changed_at_ns = 0;
};

int64_t nanoseconds(const timespec& time) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  return time.tv_sec * kNsPerSecond + time.tv_nsec;
}

Result<Mapping> map_descriptor(int descriptor, const std::string& path) {
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
  const int64_t changed_at_ns = nanoseconds(status.st_ctim);
  if (size == 0) return Mapping{.changed_at_ns = changed_at_ns};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) return system_error("cannot map file", path, errno);
  return Mapping{.bytes = {static_cast<const std::byte*>(address), size},
                 .changed_at_ns = changed_at_ns};
}

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_error("cannot open file", path, errno);
  auto mapping = map_descriptor(descriptor, path);
  ::close(descriptor);
  if (!mapping) return std::move(mapping).error();
  return std::unique_ptr<MappedFile>(new MappedFile(path, mapping->bytes, mapping->changed_at_ns));
}

MappedFile::MappedFile(std::string path, std::span<const std::byte> bytes, int64_t changed_at_ns)
    : path_(std::move(path)), bytes_(bytes), changed_at_ns_(changed_at_ns) {}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool path_exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace kvasir
