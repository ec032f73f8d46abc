// A DirectoryClaim says what a process may do with a store's directory: write it, behind a lock, or
// only read it.
//
// It owns the lock; the next process may write once the claim is gone. It is made once, by one
// thread, and does not change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kvasir/result.h"
#include "store/file_system.h"

namespace kvasir::store {

// The file that the one writer of a directory has locked.
inline constexpr const char* kLockName = "LOCK";

struct ClaimOptions {
  std::string directory;
  bool is_writer = true;
  bool may_only_read = false;  // a writer that cannot be one reads, and notes why
  bool must_exist = false;     // error where there is no store yet
};

struct DirectoryClaim {
  std::unique_ptr<FileLock> lock;       // null: it only reads
  std::optional<int64_t> owner;         // the user whose files the writer may change
  std::optional<Error> why_only_reads;  // of a writer that became a reader

  bool is_writer() const { return lock != nullptr; }
};

// A writer creates the directory and locks it. Error: there is no store (kNotFound), it cannot be
// made or listed, another process writes it (kLocked), or another user owns it (kUnsupported).
Result<DirectoryClaim> claim_directory(FileSystem& files, const ClaimOptions& options);

}  // namespace kvasir::store
