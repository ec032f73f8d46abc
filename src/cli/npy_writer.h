// An NpyWriter writes a two-dimensional float32 array row by row, in NumPy's .npy format (version
// 1.0).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir::cli {

class NpyWriter {
 public:
  // Writes to a temporary file beside `path`; only finish() puts it in place, so a run that fails
  // leaves none.
  static Result<NpyWriter> create(const std::string& path, int64_t rows, int64_t cols);
  NpyWriter(NpyWriter&&) noexcept = default;
  ~NpyWriter();

  // Row-major values that follow those written before.
  Status append(std::span<const float> values);
  // REQUIRES: rows * cols values were appended.
  Status finish();

 private:
  NpyWriter() = default;
  Status write(const void* data, size_t bytes);

  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::string temporary_path_;
  bool is_replaced_ = true;
  std::unique_ptr<FILE, Close> file_;
  int64_t values_left_ = 0;
};

}  // namespace kvasir::cli
