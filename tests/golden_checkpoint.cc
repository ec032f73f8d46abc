#include "golden_checkpoint.h"

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/safetensors.h"

namespace kvasir::testing {

std::string golden_folder(std::string_view name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + std::string(name);
}

TinyTensor& StoredCheckpoint::tensor(std::string_view name) {
  for (TinyTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  KVASIR_CHECK(false, "a tensor of that name");
}

void StoredCheckpoint::drop(std::string_view name) {
  std::erase_if(tensors, [&](const TinyTensor& tensor) { return tensor.name == name; });
}

void StoredCheckpoint::set(std::string_view field, std::string_view json) {
  std::erase_if(config, [&](const auto& member) { return member.first == field; });
  auto value = Json::parse(json, "a test");
  KVASIR_CHECK(value.ok(), "JSON");
  config.emplace_back(field, *value);
}

StoredCheckpoint read_golden(std::string_view name) {
  const auto config = ConfigSource::open(golden_folder(name));
  const auto file = MappedFile::open(golden_folder(name) + "/model.safetensors");
  KVASIR_CHECK(config.ok() && file.ok(), "a golden checkpoint");
  const auto infos = parse_safetensors((*file)->bytes(), name);
  KVASIR_CHECK(infos.ok(), "a golden checkpoint");
  StoredCheckpoint stored{.config = *config->root().as_object(), .tensors = {}};
  for (const TensorInfo& info : *infos) {
    const auto bytes = (*file)->bytes().subspan(info.offset_bytes, info.size_bytes);
    stored.tensors.push_back(
        {info.name, info.dtype_name, info.shape, {bytes.begin(), bytes.end()}});
  }
  return stored;
}

}  // namespace kvasir::testing
