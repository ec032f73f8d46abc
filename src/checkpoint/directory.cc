#include "checkpoint/directory.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace kvasir {

namespace fs = std::filesystem;

bool is_directory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string names_in(const std::string& directory) {
  constexpr size_t kTold = 4;
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (size_t i = 0; i < std::min(kTold, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kTold) text += " and " + std::to_string(names.size() - kTold) + " more";
  return text.empty() ? "nothing" : text;
}

}  // namespace kvasir
