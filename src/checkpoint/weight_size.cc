#include "checkpoint/weight_size.h"

#include <set>

#include "checkpoint/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"

namespace kvasir {

Result<std::optional<int64_t>> weight_bytes_in(const std::string& directory) {
  std::set<std::string> paths;
  const std::string index_path = path_in(directory, kIndexName);
  if (path_exists(path_in(directory, kSingleName))) {
    paths.insert(path_in(directory, kSingleName));
  } else if (path_exists(index_path)) {
    KVASIR_ASSIGN_OR_RETURN(const ShardMap shard_of, read_shard_index(directory, index_path));
    for (const auto& [tensor, path] : shard_of) paths.insert(path);
  } else {
    return std::optional<int64_t>();
  }
  int64_t bytes = 0;
  for (const std::string& path : paths) {
    KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    KVASIR_ASSIGN_OR_RETURN(const auto tensors, parse_safetensors(file->bytes(), path));
    // Tensors lie in the file, so their sum is no larger than it.
    for (const TensorInfo& tensor : tensors) bytes += static_cast<int64_t>(tensor.size_bytes);
  }
  return std::optional<int64_t>(bytes);
}

}  // namespace kvasir
