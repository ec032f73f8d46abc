#include "base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/system_error.h"

namespace kvasir {
namespace {

Error unwritable(const std::string& path) {
  return system_error("cannot write the file", path, errno);
}

// Closed once, whatever happens.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool is_open() const { return number_ >= 0; }
  bool sync() const { return ::fsync(number_) == 0; }
  bool write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(number_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return true;
  }

 private:
  int number_;
};

Status write_new_file(const std::string& path, std::span<const std::byte> bytes) {
  constexpr mode_t kAnyReads = 0644;
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kAnyReads));
  if (file.is_open() && file.write(bytes) && file.sync()) return ok_status();
  return unwritable(path);
}

// The new name is a matter of the folder, which reaches the device apart from the file.
Status sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const Descriptor opened(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.is_open() && opened.sync()) return ok_status();
  return unwritable(path);
}

}  // namespace

Status replace_file(const std::string& path, std::span<const std::byte> bytes) {
  const std::string new_path = path + ".new";
  Status written = write_new_file(new_path, bytes);
  if (written.ok() && std::rename(new_path.c_str(), path.c_str()) != 0) written = unwritable(path);
  if (written.ok()) return sync_folder_of(path);
  ::unlink(new_path.c_str());
  return written;
}

}  // namespace kvasir
