// A NewFile is written beside the place that it is meant for, and takes that place once it is
// whole. It owns the descriptor and, until then, the file: what is given up leaves nothing behind.
// write() may be called by several threads at once, all else by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

class NewFile {
 public:
  // Begins a file for `path`, which is no link. Error: the folder takes none.
  static Result<NewFile> begin(const std::string& path, uint32_t mode);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // Takes room on the device beforehand, where the system can do that. Error: there is too little.
  Status reserve(int64_t bytes) const;
  Status write(int64_t offset_bytes, std::span<const std::byte> bytes) const;
  // Waits until the device has what was written.
  Status sync() const;
  // Gives it its name, in the place of what had it. REQUIRES: once, and nothing is called after.
  Status finish();

 private:
  NewFile(std::string path, std::string name, int descriptor);

  std::string path_;
  std::string name_;  // of now; empty: it is not ours any more
  int descriptor_;
};

// Deletes what writers of this file left that were killed.
void remove_left_behind(const std::string& path);

// What new files of everybody's may be: as the user's mask has it, of 0666 or less.
uint32_t masked(uint32_t mode);

}  // namespace kvasir
