#include "base/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/system_error.h"

namespace kvasir {
namespace {

constexpr std::string_view kUnnamed = ".XXXXXX";

Error unwritable(const std::string& path) {
  return system_error("cannot write the file", path, errno);
}

// Whoever holds the lock still writes.
void remove_unless_locked(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  ::close(descriptor);
}

}  // namespace

Result<NewFile> NewFile::begin(const std::string& path, uint32_t mode) {
  std::string name = path + std::string(kUnnamed);
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return unwritable(path);
  NewFile file(path, std::move(name), descriptor);
  if (::fchmod(descriptor, mode) != 0) return unwritable(path);
  // Before this, or where there are no locks, another writer may take it for one left behind and
  // delete it. Then finish() fails.
  (void)::flock(descriptor, LOCK_EX | LOCK_NB);
  return file;
}

NewFile::NewFile(std::string path, std::string name, int descriptor)
    : path_(std::move(path)), name_(std::move(name)), descriptor_(descriptor) {}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      name_(std::exchange(other.name_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

NewFile::~NewFile() {
  if (!name_.empty()) ::unlink(name_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status NewFile::reserve(int64_t bytes) const {
  if (bytes == 0 || ::fallocate(descriptor_, 0, 0, bytes) == 0) return ok_status();
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return ok_status();
  return unwritable(path_);
}

Status NewFile::write(int64_t offset_bytes, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset_bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return unwritable(path_);
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset_bytes += written;
  }
  return ok_status();
}

Status NewFile::sync() const { return ::fsync(descriptor_) == 0 ? ok_status() : unwritable(path_); }

Status NewFile::finish() {
  if (std::rename(name_.c_str(), path_.c_str()) != 0) return unwritable(path_);
  name_.clear();
  return ok_status();
}

void remove_left_behind(const std::string& path) {
  const std::filesystem::path place(path);
  const std::string name = place.filename().string() + ".";
  const auto folder = place.has_parent_path() ? place.parent_path() : std::filesystem::path(".");
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    if (!other.starts_with(name) || other.size() != name.size() - 1 + kUnnamed.size()) continue;
    remove_unless_locked(entry->path().string());
  }
}

uint32_t masked(uint32_t mode) {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mode & ~mask;
}

}  // namespace kvasir
