#include "store/directory_claim.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/system_error.h"
#include "store/segment.h"

namespace kvasir::store {
namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(1, slash));
}

// Makes every folder of the path that is not there yet.
Status make_directories(FileSystem& files, const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const IoResult made = files.make_directory(part);
    if (!made.ok() && made.error != EEXIST && files.look(part).kind != FileKind::kDirectory) {
      Error error = system_error("cannot make the store's directory", path, made.error);
      error.found = part + ": " + error.found;
      return error;
    }
    // A new directory is there after a power failure only if its parent says so.
    if (made.ok()) files.sync_directory(parent_of(part));
    if (slash == std::string::npos) return ok_status();
  }
}

Status check_there_is_a_store(FileSystem& files, const ClaimOptions& options) {
  std::vector<std::string> names;
  const IoResult listed = files.list(options.directory, names);
  const auto is_ours = [](const std::string& name) {
    return name == kLockName || parse_segment_file_name(name);
  };
  if (listed.ok() && std::any_of(names.begin(), names.end(), is_ours)) return ok_status();
  if (!listed.ok() && listed.error != ENOENT) {
    return system_error("cannot list the store", options.directory, listed.error);
  }
  return Error{
      .kind = ErrorKind::kNotFound, .what = "there is no store", .where = options.directory};
}

// Files of two users in one store would keep each from using it.
bool is_own(FileSystem& files, const ClaimOptions& options, int64_t owner) {
  if (owner == files.user()) return true;
  const IoResult own = files.owner_of_new_files(options.directory);
  return own.ok() && own.count == owner;
}

Status lock_directory(FileSystem& files, const ClaimOptions& options, DirectoryClaim& claim) {
  const std::string path = options.directory + "/" + kLockName;
  Opened<FileLock> locked = files.lock(path);
  if (!locked.object && locked.error == EWOULDBLOCK) {
    return Error{.kind = ErrorKind::kLocked,
                 .what = "another process writes the store",
                 .where = options.directory};
  }
  if (!locked.object) return system_error("cannot lock the store", path, locked.error);
  const FileFacts facts = files.look(path);
  if (!facts.ok()) return system_error("cannot lock the store", path, facts.error);
  if (!is_own(files, options, facts.owner)) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the store belongs to another user",
                 .where = options.directory,
                 .found = "user " + std::to_string(facts.owner)};
  }
  claim.lock = std::move(locked.object);
  claim.owner = facts.owner;
  return ok_status();
}

Status begin_writing(FileSystem& files, const ClaimOptions& options, DirectoryClaim& claim) {
  if (!options.must_exist) {
    KVASIR_RETURN_IF_ERROR(make_directories(files, options.directory));
  }
  Status locked = lock_directory(files, options, claim);
  if (locked.ok() || !options.may_only_read) return locked;
  std::vector<std::string> names;
  if (!files.list(options.directory, names).ok()) return locked;
  claim.why_only_reads = std::move(locked).error();
  claim.why_only_reads->remedy = "it is read, and nothing is saved";
  return ok_status();
}

}  // namespace

Result<DirectoryClaim> claim_directory(FileSystem& files, const ClaimOptions& options) {
  DirectoryClaim claim;
  if (options.must_exist) KVASIR_RETURN_IF_ERROR(check_there_is_a_store(files, options));
  if (options.is_writer) KVASIR_RETURN_IF_ERROR(begin_writing(files, options, claim));
  return claim;
}

}  // namespace kvasir::store
