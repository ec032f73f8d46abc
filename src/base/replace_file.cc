#include "base/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

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
  bool set_mode(mode_t mode) const { return ::fchmod(number_, mode) == 0; }
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

// The new name is a matter of the folder, which reaches the device apart from the file.
Status sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const Descriptor opened(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.is_open() && opened.sync()) return ok_status();
  return unwritable(path);
}

// Where the bytes go: what a link leads to.
std::string real_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

// As the file that it replaces may be used, or as the user's mask has it.
mode_t mode_for(const std::string& path, FileAccess access) {
  struct stat there {};
  if (::stat(path.c_str(), &there) == 0) return there.st_mode & 0777;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return (access == FileAccess::kAll ? 0666 : 0600) & ~mask;
}

Status write_beside(const std::string& path, std::span<const std::byte> bytes, mode_t mode,
                    std::string& name) {
  const Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.is_open()) {
    name.clear();
    return unwritable(path);
  }
  if (file.set_mode(mode) && file.write(bytes) && file.sync()) return ok_status();
  return unwritable(path);
}

}  // namespace

Status check_replaceable(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(path, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "something else than a file is there",
                 .where = path,
                 .expected = "a file, or nothing"};
  }
  const std::filesystem::path folder = std::filesystem::path(real_path(path)).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0) return ok_status();
  return unwritable(path);
}

Status replace_file(const std::string& path, std::span<const std::byte> bytes, FileAccess access) {
  KVASIR_RETURN_IF_ERROR(check_replaceable(path));
  const std::string target = real_path(path);
  std::string name = target + ".XXXXXX";
  Status written = write_beside(path, bytes, mode_for(target, access), name);
  if (written.ok() && std::rename(name.c_str(), target.c_str()) != 0) written = unwritable(path);
  if (written.ok()) return sync_folder_of(target);
  if (!name.empty()) ::unlink(name.c_str());
  return written;
}

}  // namespace kvasir
