#include "store/remote/object_names.h"

#include <string_view>

#include "base/digest.h"

namespace kvasir::store::remote {

ObjectNames::ObjectNames(std::span<const std::byte> secret, bool is_sealed)
    : secret_(secret.begin(), secret.end()) {
  if (!is_sealed) return;
  constexpr std::string_view kPurpose = "kvasir names of sealed records";
  const Digest256 key = hmac_sha256(secret, std::as_bytes(std::span(kPurpose)));
  secret_.assign(key.begin(), key.end());
}

ObjectName ObjectNames::name(ObjectKind kind, const Key& key) const {
  return {kind, hmac_sha256(secret_, key)};
}

ObjectName ObjectNames::of(const RecordId& id) const {
  return name(id.kind == Kind::kBlock ? ObjectKind::kBlock : ObjectKind::kState, id.key);
}

ObjectName ObjectNames::of_pack(const Key& last_block) const {
  return name(ObjectKind::kPack, last_block);
}

ObjectName ObjectNames::place_in_pack(const ObjectName& pack, int64_t index) {
  return {ObjectKind::kPack,
          Sha256().add_text("kvasir place in pack").add(pack.hash).add_value(index).finish()};
}

}  // namespace kvasir::store::remote
