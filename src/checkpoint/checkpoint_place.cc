#include "checkpoint/checkpoint_place.h"

#include <utility>

#include "checkpoint/directory.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"

namespace kvasir {

Result<CheckpointPlace> find_checkpoint(const std::string& path) {
  const CheckpointPlace directory{CheckpointForm::kSafetensors, path};
  if (!path_exists(path)) return directory;
  if (!is_directory(path)) return CheckpointPlace{CheckpointForm::kGguf, path};
  const bool has_safetensors =
      path_exists(path_in(path, kSingleName)) || path_exists(path_in(path, kIndexName));
  if (has_safetensors) return directory;
  auto gguf = find_gguf_in(path);
  if (gguf.ok()) return CheckpointPlace{CheckpointForm::kGguf, std::move(gguf).value()};
  if (gguf.error().kind == ErrorKind::kNotFound) return directory;
  return std::move(gguf).error();
}

}  // namespace kvasir
