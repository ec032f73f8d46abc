#include "temp_directory.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace kvasir::testing {

TempDirectory::TempDirectory() {
  std::string pattern = std::filesystem::temp_directory_path() / "kvasir_test_XXXXXX";
  KVASIR_CHECK(::mkdtemp(pattern.data()) != nullptr, "a test directory cannot be made");
  path_ = pattern;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  KVASIR_CHECK(file.good(), "a test file cannot be written");
}

void write_file(const std::string& path, const std::vector<std::byte>& bytes) {
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace kvasir::testing
