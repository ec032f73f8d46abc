#include "base/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/new_file.h"
#include "base/system_error.h"

namespace kvasir {
namespace {

Error unwritable(const std::string& path) {
  return system_error("cannot write the file", path, errno);
}

// The new name is a matter of the folder, which reaches the device apart from the file.
Status sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int opened =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return unwritable(path);
  Status synced = ::fsync(opened) == 0 ? ok_status() : unwritable(path);
  ::close(opened);
  return synced;
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
  return masked(access == FileAccess::kAll ? 0666 : 0600);
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
  KVASIR_ASSIGN_OR_RETURN(NewFile file, NewFile::begin(target, mode_for(target, access)));
  KVASIR_RETURN_IF_ERROR(file.write(0, bytes));
  KVASIR_RETURN_IF_ERROR(file.sync());
  KVASIR_RETURN_IF_ERROR(file.finish());
  return sync_folder_of(target);
}

}  // namespace kvasir
