#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/weight_size.h"
#include "kvasir/plan.h"

namespace kvasir::plan {
namespace {

constexpr std::string_view kConfigName = "config.json";
constexpr std::string_view kGgufMagic = "GGUF";

Result<CacheModel> open_directory(const std::string& directory) {
  const std::string config_path = path_in(directory, kConfigName);
  KVASIR_ASSIGN_OR_RETURN(const auto config, MappedFile::open(config_path));
  KVASIR_ASSIGN_OR_RETURN(CacheModel model, model_of_config(config->text(), config_path));
  KVASIR_ASSIGN_OR_RETURN(model.weight_bytes, weight_bytes_in(directory));
  return model;
}

Result<CacheModel> open_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  return file->text().starts_with(kGgufMagic) ? model_of_gguf(file->bytes(), path)
                                              : model_of_config(file->text(), path);
}

// "models/kvasir-tiny" and "models/kvasir-tiny/" are kvasir-tiny.
std::string last_part(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<CacheModel> open_model(const std::string& name_or_path) {
  if (!path_exists(name_or_path)) return built_in_model(name_or_path);
  Result<CacheModel> model = path_exists(path_in(name_or_path, kConfigName))
                                 ? open_directory(name_or_path)
                                 : open_file(name_or_path);
  if (model.ok()) model->name = last_part(name_or_path);
  return model;
}

}  // namespace kvasir::plan
