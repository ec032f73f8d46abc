// ObjectNames names records and packs for engines that several servers share. Servers with one
// secret find each other's objects; whoever lacks it can neither tell which prompts are there nor
// make names that others would find. The key of a record already stands for its tokens, the model,
// the arithmetic, the precision of the cache and the salt. A plain value; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "store/key.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

struct ObjectNameHash {
  size_t operator()(const ObjectName& name) const {
    return KeyHash()(name.hash) ^ static_cast<size_t>(name.kind);
  }
};

class ObjectNames {
 public:
  // secret: may be empty; then names say of a prompt whether it is there to whoever guesses it.
  // is_sealed: the records are. They have names of their own, so that servers that seal and servers
  // that do not never take each other's objects for wrong ones.
  explicit ObjectNames(std::span<const std::byte> secret, bool is_sealed = false);

  ObjectName of(const RecordId& id) const;
  // last_block: of the pack.
  ObjectName of_pack(const Key& last_block) const;
  // What a record of a pack is sealed for: its place there, so that whoever has the secret can open
  // it without knowing whose it is.
  static ObjectName place_in_pack(const ObjectName& pack, int64_t index);

 private:
  ObjectName name(ObjectKind kind, const Key& key) const;

  std::vector<std::byte> secret_;
};

}  // namespace kvasir::store::remote
