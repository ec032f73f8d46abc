#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
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

class PosixLock : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}

 private:
  Descriptor descriptor_;
};

class PosixFileSystem : public FileSystem {
 public:
  Opened<File> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    const bool only_reads = mode == OpenMode::kRead || mode == OpenMode::kReadDirect;
    flags |= only_reads ? O_RDONLY : O_RDWR;
    if (mode == OpenMode::kReadDirect) {
      const int direct = ::open(path.c_str(), flags | O_DIRECT);
      if (direct >= 0) return {.object = std::make_unique<PosixFile>(direct)};
    }
    // Never through a link that someone else has put there.
    if (mode == OpenMode::kCreate) flags |= O_CREAT | O_EXCL | O_NOFOLLOW;
    const int descriptor = ::open(path.c_str(), flags, kOwnerFile);
    if (descriptor < 0) return {.error = errno};
    // Reads of single pages: what lies behind them is not wanted.
    if (mode == OpenMode::kReadDirect) posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
    return {.object = std::make_unique<PosixFile>(descriptor)};
  }

  Opened<FileLock> lock(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerFile);
    if (descriptor < 0) return {.error = errno};
    auto held = std::make_unique<PosixLock>(descriptor);
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
};

}  // namespace

std::shared_ptr<FileSystem> posix_file_system() { return std::make_shared<PosixFileSystem>(); }

}  // namespace kvasir::store
