#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <limits>

#include "store/batch_reader.h"
#include "store/file_system.h"

namespace kvasir::store {
namespace {

constexpr mode_t kOwnerFile = 0600;
constexpr mode_t kOwnerDirectory = 0700;

IoResult result_of(int64_t returned) {
  if (returned < 0) return {.error = errno};
  return {.count = returned};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

class PosixFile : public File {
 public:
  explicit PosixFile(int descriptor) : descriptor_(descriptor) {}

  IoResult read(int64_t offset_bytes, std::span<std::byte> out) override {
    return result_of(pread(descriptor_.get(), out.data(), out.size(), offset_bytes));
  }
  IoResult write(int64_t offset_bytes, std::span<const std::byte> bytes) override {
    return result_of(pwrite(descriptor_.get(), bytes.data(), bytes.size(), offset_bytes));
  }
  IoResult size() override {
    struct stat status {};
    const IoResult result = result_of(fstat(descriptor_.get(), &status));
    return result.ok() ? IoResult{.count = status.st_size} : result;
  }
  IoResult truncate(int64_t size_bytes) override {
    return result_of(ftruncate(descriptor_.get(), size_bytes));
  }
  IoResult sync() override { return result_of(fdatasync(descriptor_.get())); }
  int descriptor() const override { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

// Returns 0 for a file that may be used, else an errno. A file to be written has one name only.
int check_file(int descriptor, bool is_for_writing) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return EINVAL;
  return is_for_writing && status.st_nlink > 1 ? EMLINK : 0;
}

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISLNK(mode)) return FileKind::kLink;
  return S_ISDIR(mode) ? FileKind::kDirectory : FileKind::kOther;
}

FileFacts facts_of(const struct stat& status) {
  return {.kind = kind_of(status.st_mode),
          .size_bytes = status.st_size,
          .owner = static_cast<int64_t>(status.st_uid),
          .name_count = static_cast<int64_t>(status.st_nlink)};
}

class PosixLock : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}

 private:
  Descriptor descriptor_;
};

class PosixFileSystem : public FileSystem {
 public:
  FileFacts look(const std::string& path) override {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return {.error = errno};
    return facts_of(status);
  }

  int64_t user() override { return static_cast<int64_t>(geteuid()); }

  IoResult owner_of_new_files(const std::string& directory) override {
    std::string path = directory + "/owner-XXXXXX";
    const Descriptor made(mkostemp(path.data(), O_CLOEXEC));
    if (made.get() < 0) return {.error = errno};
    unlink(path.c_str());
    struct stat status {};
    if (fstat(made.get(), &status) != 0) return {.error = errno};
    return {.count = static_cast<int64_t>(status.st_uid)};
  }

  Opened<File> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const bool only_reads = mode == OpenMode::kRead || mode == OpenMode::kReadDirect;
    flags |= only_reads ? O_RDONLY : O_RDWR;
    if (mode == OpenMode::kReadDirect) {
      const int direct = ::open(path.c_str(), flags | O_DIRECT);
      if (direct >= 0) return checked(direct, false);
    }
    if (mode == OpenMode::kCreate) flags |= O_CREAT | O_EXCL;
    const int descriptor = ::open(path.c_str(), flags, kOwnerFile);
    if (descriptor < 0) return {.error = errno};
    // Single pages are read: the system need not read ahead.
    if (mode == OpenMode::kReadDirect) posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
    return checked(descriptor, mode == OpenMode::kReadWrite);
  }

  Opened<FileLock> lock(const std::string& path) override {
    constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const int descriptor = ::open(path.c_str(), kFlags, kOwnerFile);
    if (descriptor < 0) return {.error = errno};
    auto held = std::make_unique<PosixLock>(descriptor);
    if (const int error = check_file(descriptor, false); error != 0) return {.error = error};
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) return {.error = errno};
    return {.object = std::move(held)};
  }

  IoResult make_directory(const std::string& path) override {
    return result_of(mkdir(path.c_str(), kOwnerDirectory));
  }

  IoResult list(const std::string& path, std::vector<std::string>& names) override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return {.error = errno};
    names.clear();
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    const int error = errno;
    closedir(directory);
    return {.count = static_cast<int64_t>(names.size()), .error = error};
  }

  IoResult remove(const std::string& path) override { return result_of(unlink(path.c_str())); }

  IoResult sync_directory(const std::string& path) override {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return {.error = errno};
    return result_of(fsync(directory.get()));
  }

  IoResult free_bytes(const std::string& path) override {
    struct statvfs status {};
    const IoResult result = result_of(statvfs(path.c_str(), &status));
    if (!result.ok()) return result;
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    const uint64_t blocks = status.f_bavail;
    const uint64_t block_bytes = status.f_frsize;
    if (block_bytes != 0 && blocks > kMax / block_bytes)
      return {.count = static_cast<int64_t>(kMax)};
    return {.count = static_cast<int64_t>(blocks * block_bytes)};
  }

  std::unique_ptr<BatchReader> make_batch_reader() override { return best_reader(); }

 private:
  // Returns the opened file, or why it may not be used.
  static Opened<File> checked(int descriptor, bool is_for_writing) {
    auto file = std::make_unique<PosixFile>(descriptor);
    const int error = check_file(descriptor, is_for_writing);
    if (error != 0) return {.error = error};
    return {.object = std::move(file)};
  }
};

}  // namespace

std::shared_ptr<FileSystem> posix_file_system() { return std::make_shared<PosixFileSystem>(); }

}  // namespace kvasir::store
