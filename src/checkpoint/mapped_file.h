// A MappedFile maps a whole regular file read-only. It owns the mapping, so spans die with it. It
// is immutable, and any number of threads may read it.
//
// When another process shortens the file meanwhile, an access raises SIGBUS. Checkpoints are taken
// to be still.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

class MappedFile {
 public:
  // Symbolic links are followed (model caches are built of them), but what they lead to must be a
  // regular file. An empty file gives an empty span.
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  // When its content, or anything else about it, last changed before it was opened, by the system's
  // clock. No program can set this, as it can the time of modification.
  int64_t changed_at_ns() const { return changed_at_ns_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes, int64_t changed_at_ns);

  std::string path_;
  std::span<const std::byte> bytes_;
  int64_t changed_at_ns_;
};

// Whether something of that name exists, be it readable or not.
bool path_exists(const std::string& path);

}  // namespace kvasir
