#include "cli/bundled.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace kvasir::cli {

Result<std::string> bundled_path(const char* name, const char* remedy) {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto shared = program.parent_path().parent_path() / "share/kvasir" / name;
  if (std::filesystem::exists(shared, ignored)) return shared.string();
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

std::optional<std::string> user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return cache;
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache";
  return std::nullopt;
}

std::string temporary_folder() {
  std::error_code error;
  const auto folder = std::filesystem::temp_directory_path(error);
  return error ? "/tmp" : folder.string();
}

std::string model_called(const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos ||
      std::filesystem::exists(name, ignored)) {
    return name;
  }
  const std::optional<std::string> folder = user_cache_folder();
  if (!folder) return name;
  const std::string model = *folder + "/kvasir-models/" + name;
  return std::filesystem::exists(model, ignored) ? model : name;
}

Result<std::string> given_or_bundled(const std::string& given, const char* name,
                                     const char* remedy) {
  if (!given.empty()) return given;
  return bundled_path(name, remedy);
}

}  // namespace kvasir::cli
