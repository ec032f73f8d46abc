#include "store/remote/s3/object_keys.h"

#include "base/digest.h"

namespace kvasir::store::remote {
namespace {

constexpr size_t kFolderDigits = 2;

std::optional<ObjectKind> kind_of(char letter) {
  for (const ObjectKind kind : {ObjectKind::kBlock, ObjectKind::kState, ObjectKind::kPack}) {
    if (letter == static_cast<char>(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

std::string keys_prefix(std::string_view prefix) {
  return prefix.empty() ? "kv1/" : std::string(prefix) + "/kv1/";
}

std::string key_of(std::string_view prefix, const ObjectName& name) {
  const std::string digits = to_hex(name.hash);
  return keys_prefix(prefix) + static_cast<char>(name.kind) + "/" +
         digits.substr(0, kFolderDigits) + "/" + digits.substr(kFolderDigits);
}

std::optional<ObjectName> name_of_key(std::string_view prefix, std::string_view key) {
  const std::string begin = keys_prefix(prefix);
  if (!key.starts_with(begin) || key.size() < begin.size() + 5) return std::nullopt;
  const std::string_view rest = key.substr(begin.size());  // "b/3f/a0..."
  const auto kind = kind_of(rest[0]);
  const auto hash = digest_of_hex(std::string(rest.substr(2, kFolderDigits)) +
                                  std::string(rest.substr(3 + kFolderDigits)));
  if (rest[1] != '/' || rest[2 + kFolderDigits] != '/' || !kind || !hash) return std::nullopt;
  return ObjectName{*kind, *hash};
}

}  // namespace kvasir::store::remote
