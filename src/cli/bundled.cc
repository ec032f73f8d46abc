#include "cli/bundled.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace kvasir::cli {

Result<std::string> bundled_path(const char* name, const char* remedy) {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (auto folder = program.parent_path(); folder != folder.root_path();
       folder = folder.parent_path()) {
    const auto candidate = folder / name;
    if (std::filesystem::exists(candidate, ignored)) return candidate.string();
  }
  return Error{.kind = ErrorKind::kNotFound,
               .what = "a file that comes with the program was not found",
               .where = std::string(name) + " above " + program.string(),
               .remedy = remedy};
}

std::string model_called(const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos || std::filesystem::exists(name, ignored))
    return name;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (cache != nullptr && *cache == '/') {
    folder = cache;
  } else if (home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".cache";
  } else {
    return name;
  }
  const auto model = folder / "kvasir-models" / name;
  return std::filesystem::exists(model, ignored) ? model.string() : name;
}

Result<std::string> given_or_bundled(const std::string& given, const char* name,
                                     const char* remedy) {
  if (!given.empty()) return given;
  return bundled_path(name, remedy);
}

}  // namespace kvasir::cli
