// A FileSystem makes the system calls of the store, so that tests can make any of them fail.
//
// A call does what the system call does and no more: it may read or write less than asked, or be
// interrupted. The loops that read and write everything are in file_io.h. Any thread may call a
// FileSystem. Any number of threads may read a File at a time; one writes, truncates and syncs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kvasir::store {

// An IoResult says what a call did: a count (bytes, or 0 where nothing is counted), or an errno.
struct IoResult {
  int64_t count = 0;
  int error = 0;
  bool ok() const { return error == 0; }
};

class BatchReader;

class File {
 public:
  virtual ~File() = default;
  virtual IoResult read(int64_t offset_bytes, std::span<std::byte> out) = 0;
  virtual IoResult write(int64_t offset_bytes, std::span<const std::byte> bytes) = 0;
  virtual IoResult size() = 0;
  virtual IoResult truncate(int64_t size_bytes) = 0;
  // Data and size are on the device when it returns without error.
  virtual IoResult sync() = 0;
  // For calls that only the system itself offers; -1: a file the system does not know.
  virtual int descriptor() const { return -1; }
};

// A FileLock keeps other processes out for as long as the object lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class FileKind : uint8_t { kFile, kLink, kDirectory, kOther };

// FileFacts say what a name in a directory stands for; a link stands for itself.
struct FileFacts {
  FileKind kind = FileKind::kFile;
  int64_t size_bytes = 0;
  int64_t owner = 0;       // user number
  int64_t name_count = 1;  // other names of the same file included
  int error = 0;           // an errno: nothing else here counts
  bool ok() const { return error == 0; }
};

// An OpenMode says how a file is opened. No mode opens a pipe, a folder or a device, or follows a
// link.
enum class OpenMode : uint8_t {
  kRead,
  // Reads past the page cache, where the file system can. REQUIRES: offsets, lengths and memory of
  // reads are whole pages.
  kReadDirect,
  kReadWrite,  // must exist, and have no other name: a hard link is never written through
  kCreate,     // must not exist; readable and writable by the owner only
};

template <class T>
struct Opened {
  std::unique_ptr<T> object;  // null: error says why
  int error = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual FileFacts look(const std::string& path) = 0;
  // The user this process acts as.
  virtual int64_t user() = 0;
  // Returns the user who owns files that this process makes in that directory. This is mostly its
  // own user; a device that knows other users than this machine may say otherwise. Makes a file
  // there and removes it.
  virtual IoResult owner_of_new_files(const std::string& directory) = 0;
  virtual Opened<File> open(const std::string& path, OpenMode mode) = 0;
  // EWOULDBLOCK: another process, or another lock of this one, has it. Creates the file; follows no
  // link.
  virtual Opened<FileLock> lock(const std::string& path) = 0;
  // For the owner only. EEXIST when it is there.
  virtual IoResult make_directory(const std::string& path) = 0;
  virtual IoResult list(const std::string& path, std::vector<std::string>& names) = 0;
  virtual IoResult remove(const std::string& path) = 0;
  // Entries made and removed in a directory are on the device when it returns without error.
  virtual IoResult sync_directory(const std::string& path) = 0;
  // Bytes that this user may still write on the device that holds `path`.
  virtual IoResult free_bytes(const std::string& path) = 0;
  // For files of this file system.
  virtual std::unique_ptr<BatchReader> make_batch_reader() = 0;
};

// Returns this machine's file system.
std::shared_ptr<FileSystem> posix_file_system();

}  // namespace kvasir::store
