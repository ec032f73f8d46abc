#include "checkpoint/config_source.h"

#include <utility>

#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"

namespace kvasir {
namespace {

constexpr uint64_t kConfigBytesMax = uint64_t{16} << 20;

}  // namespace

Result<ConfigSource> ConfigSource::open(const std::string& directory) {
  const std::string path = path_in(directory, kConfigName);
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  return parse(file->text(), path);
}

Result<ConfigSource> ConfigSource::parse(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(Json json,
                          Json::parse(text, where, JsonLimits{.text_bytes_max = kConfigBytesMax}));
  if (json.as_object() != nullptr) return ConfigSource(std::move(json), std::string(where));
  return Error{.kind = ErrorKind::kDamaged,
               .what = "config is malformed",
               .where = std::string(where),
               .expected = "a JSON object"};
}

}  // namespace kvasir
