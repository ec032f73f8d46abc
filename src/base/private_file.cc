#include "base/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/system_error.h"

namespace kvasir {
namespace {

constexpr mode_t kModeOfOthers = S_IRWXG | S_IRWXO;

// The opened file is asked, not its path, which may name another one by now.
Status check_privacy(int file, const std::string& path) {
  struct stat facts {};
  if (fstat(file, &facts) != 0) return system_error("cannot read the file", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "this is no file to read a secret from",
                 .where = path,
                 .expected = "a plain file"};
  }
  if ((facts.st_mode & kModeOfOthers) == 0) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "others may read this file, and it holds a secret",
               .where = path,
               .expected = "mode 0600 or 0400",
               .found = fmt::format("{:04o}", facts.st_mode & 07777),
               .remedy = "chmod 600 " + path};
}

Result<std::string> read_opened(int file, const std::string& path, size_t bytes_max) {
  KVASIR_RETURN_IF_ERROR(check_privacy(file, path));
  std::string bytes(bytes_max + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = read(file, bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot read the file", path, errno);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size > bytes_max) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the file is too large",
                 .where = path,
                 .expected = fmt::format("at most {} bytes", bytes_max)};
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

Result<std::string> read_private_file(const std::string& path, size_t bytes_max) {
  // Without O_NONBLOCK a named pipe would wait for a writer before it can be refused.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return system_error("cannot read the file", path, errno);
  Result<std::string> bytes = read_opened(file, path, bytes_max);
  close(file);
  return bytes;
}

}  // namespace kvasir
