#include "checkpoint/shard_index.h"

#include <algorithm>

#include "base/foreign_content.h"
#include "base/json.h"
#include "checkpoint/mapped_file.h"

namespace kvasir {
namespace {

constexpr uint64_t kIndexBytesMax = uint64_t{100} << 20;
constexpr int kIndexDepthMax = 8;

// A shard lies beside its index: anything else would let an index read files it has no business
// with.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return c >= 0x20 && c != '/' && c != '\\'; });
}

}  // namespace

Result<ShardMap> read_shard_index(const std::string& directory, const std::string& index_path) {
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(index_path));
  KVASIR_RETURN_IF_ERROR(check_content(file->text(), index_path, FileForm::kJson));
  KVASIR_ASSIGN_OR_RETURN(const Json json, Json::parse(file->text(), index_path,
                                                       JsonLimits{.text_bytes_max = kIndexBytesMax,
                                                                  .depth_max = kIndexDepthMax}));
  const Json* map = json.find("weight_map");
  if (map == nullptr || map->as_object() == nullptr || map->as_object()->empty()) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "index names no tensors",
                 .where = index_path + ": weight_map",
                 .expected = "an object of tensor names and shards"};
  }
  ShardMap shard_of;
  for (const auto& [tensor, shard] : *map->as_object()) {
    if (shard.as_string() == nullptr || !is_plain_file_name(*shard.as_string())) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "index names an unusable shard",
                   .where = index_path + ": " + tensor,
                   .expected = "the name of a file beside the index",
                   .found = shard.dump()};
    }
    shard_of.emplace(tensor, path_in(directory, *shard.as_string()));
  }
  return shard_of;
}

std::string path_in(const std::string& directory, std::string_view file_name) {
  std::string path = directory;
  if (!path.empty() && path.back() != '/') path += '/';
  return path.append(file_name);
}

}  // namespace kvasir
