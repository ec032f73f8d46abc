// read_shard_index reads model.safetensors.index.json, which says in which file (shard) a tensor
// lies.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

using ShardMap = std::map<std::string, std::string>;  // tensor name as stored -> path of its shard

inline constexpr std::string_view kSingleName = "model.safetensors";
inline constexpr std::string_view kIndexName = "model.safetensors.index.json";

// Shards must lie in `directory` itself.
Result<ShardMap> read_shard_index(const std::string& directory, const std::string& index_path);

std::string path_in(const std::string& directory, std::string_view file_name);

}  // namespace kvasir
