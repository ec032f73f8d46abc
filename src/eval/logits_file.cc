#include "eval/logits_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/system_error.h"

namespace kvasir::eval {
namespace {

// A descriptor that closes itself.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& folder) {
    std::string path = folder + "/kvasir-logits-XXXXXX";
    descriptor_ = mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ >= 0) unlink(path.c_str());
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Error no_room(const std::string& folder, size_t bytes, int error_number) {
  Error error = system_error("no room for the logits to compare with", folder, error_number);
  error.expected = std::to_string(bytes) + " bytes";
  error.remedy = "fewer tokens or texts, or TMPDIR=FOLDER with more room";
  return error;
}

}  // namespace

std::string folder_for_large_files() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named == '/' ? named : "/var/tmp";
}

Result<LogitsFile> LogitsFile::create(const std::string& folder, int64_t row_count,
                                      int64_t row_floats) {
  LogitsFile made;
  made.row_count_ = row_count;
  made.row_floats_ = row_floats;
  const TemporaryFile file(folder);
  if (file.descriptor() < 0) return no_room(folder, made.bytes(), errno);
  const int full = posix_fallocate(file.descriptor(), 0, static_cast<off_t>(made.bytes()));
  if (full != 0) return no_room(folder, made.bytes(), full);
  void* mapped =
      mmap(nullptr, made.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor(), 0);
  if (mapped == MAP_FAILED) return no_room(folder, made.bytes(), errno);
  made.data_ = static_cast<float*>(mapped);
  return made;
}

LogitsFile::~LogitsFile() {
  if (data_ != nullptr) munmap(data_, bytes());
}

LogitsFile::LogitsFile(LogitsFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      row_count_(other.row_count_),
      row_floats_(other.row_floats_) {}

LogitsFile& LogitsFile::operator=(LogitsFile&& other) noexcept {
  LogitsFile taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(row_count_, taken.row_count_);
  std::swap(row_floats_, taken.row_floats_);
  return *this;
}

std::span<float> LogitsFile::rows(int64_t first, int64_t count) {
  KVASIR_CHECK(first >= 0 && count >= 0 && first + count <= row_count_, "rows of the file");
  return {data_ + first * row_floats_, static_cast<size_t>(count * row_floats_)};
}

std::span<const float> LogitsFile::row(int64_t index) const {
  KVASIR_CHECK(index >= 0 && index < row_count_, "a row of the file");
  return {data_ + index * row_floats_, static_cast<size_t>(row_floats_)};
}

}  // namespace kvasir::eval
