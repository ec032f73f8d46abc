// FileSystem and File: the system calls the store makes, as an interface, so that tests can make
// any of them fail or forget. A call does what the system call does and no more: it may read or
// write less than asked, or be interrupted. The loops that want everything are in file_io.h.
//
// A File may be read by any number of threads at a time; writing, truncating and syncing are for
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kvasir::store {

// What a call did: a count (bytes, or 0 where there is nothing to count), or an errno.
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

// An exclusive claim that lasts as long as the object.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class FileKind : uint8_t { kFile, kLink, kDirectory, kOther };

// What a name in a directory stands for; a link stands for itself.
struct FileFacts {
  FileKind kind = FileKind::kFile;
  int64_t size_bytes = 0;
  int64_t owner = 0;       // user number
  int64_t name_count = 1;  // other names of the same file included
  int error = 0;           // an errno: nothing else here counts
  bool ok() const { return error == 0; }
};

// No mode opens anything but a file, nor waits for whoever would feed a pipe, nor follows a link.
enum class OpenMode : uint8_t {
  kRead,
  // Past the page cache, where the file system can. REQUIRES: offsets, lengths and memory of reads
  // are whole pages.
  kReadDirect,
  kReadWrite,  // must exist, under no other name too: nothing is written through one
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
  // Whose the files are that this process makes in that directory: mostly its user's, but a device
  // that knows other users than this machine says otherwise. Makes a file there and removes it.
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

// The machine's own.
std::shared_ptr<FileSystem> posix_file_system();

}  // namespace kvasir::store
