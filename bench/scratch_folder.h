// A ScratchFolder is a new folder on the device to be measured. It is deleted with all that is in
// it.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "base/system_error.h"
#include "kvasir/result.h"

namespace kvasir::bench {

class ScratchFolder {
 public:
  static Result<ScratchFolder> create(const std::string& parent) {
    std::string path = parent + "/kvasir-bench-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) {
      return kvasir::system_error("cannot make a folder to measure in", parent, errno);
    }
    return ScratchFolder(path);
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace kvasir::bench
