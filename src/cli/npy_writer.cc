#include "cli/npy_writer.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/check.h"
#include "base/system_error.h"

namespace kvasir::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "'<f4' is written as it lies in memory");

// Magic, version 1.0, header length, and a dictionary padded so that the data starts at a multiple
// of 64.
std::string npy_header(int64_t rows, int64_t cols) {
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                           std::to_string(rows) + ", " + std::to_string(cols) + "), }";
  constexpr size_t kPrefixBytes = 10;
  dictionary.append(63 - (kPrefixBytes + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

Error cannot_write(const std::string& path) {
  return system_error("cannot write the file", path, errno);
}

}  // namespace

Result<NpyWriter> NpyWriter::create(const std::string& path, int64_t rows, int64_t cols) {
  NpyWriter writer;
  std::error_code ignored;
  const bool exists = std::filesystem::exists(path, ignored);
  writer.path_ = exists ? std::filesystem::canonical(path, ignored).string() : path;
  // A pipe or a device is written to, not replaced.
  writer.is_replaced_ = !exists || std::filesystem::is_regular_file(path, ignored);
  writer.temporary_path_ = writer.is_replaced_ ? writer.path_ + ".partial" : writer.path_;
  writer.file_.reset(std::fopen(writer.temporary_path_.c_str(), "wb"));
  if (writer.file_ == nullptr) return cannot_write(writer.temporary_path_);
  writer.values_left_ = rows * cols;
  const std::string header = npy_header(rows, cols);
  KVASIR_RETURN_IF_ERROR(writer.write(header.data(), header.size()));
  return writer;
}

NpyWriter::~NpyWriter() {
  if (file_ != nullptr && is_replaced_) unlink(temporary_path_.c_str());
}

Status NpyWriter::append(std::span<const float> values) {
  values_left_ -= std::ssize(values);
  return write(values.data(), values.size_bytes());
}

Status NpyWriter::finish() {
  KVASIR_CHECK(values_left_ == 0, "the array has the shape its header says");
  const bool is_closed = std::fclose(file_.release()) == 0;
  if (!is_replaced_) return is_closed ? ok_status() : Status(cannot_write(path_));
  if (!is_closed || std::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    const Error error = cannot_write(path_);
    unlink(temporary_path_.c_str());
    return error;
  }
  return ok_status();
}

Status NpyWriter::write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_.get()) != bytes) return cannot_write(temporary_path_);
  return ok_status();
}

}  // namespace kvasir::cli
