// A LogitsFile keeps rows of logits that are too many for RAM: in a file that is mapped and has no
// name, so that it goes with the process. It owns file and mapping, and can be moved but not
// copied; any thread may read rows that are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir::eval {

// $TMPDIR, or /var/tmp: files are large, and /tmp may lie in RAM.
std::string folder_for_large_files();

class LogitsFile {
 public:
  LogitsFile() = default;
  // Takes all the room at once. Error: there is none, or no such folder.
  static Result<LogitsFile> create(const std::string& folder, int64_t row_count,
                                   int64_t row_floats);
  ~LogitsFile();
  LogitsFile(LogitsFile&& other) noexcept;
  LogitsFile& operator=(LogitsFile&& other) noexcept;

  std::span<float> rows(int64_t first, int64_t count);
  std::span<const float> row(int64_t index) const;

 private:
  size_t bytes() const { return static_cast<size_t>(row_count_ * row_floats_) * sizeof(float); }

  float* data_ = nullptr;
  int64_t row_count_ = 0;
  int64_t row_floats_ = 0;
};

}  // namespace kvasir::eval
