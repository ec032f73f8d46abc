// A Key names a prefix of tokens under a model. It is a SHA-256 and is compared in full. A plain
// value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/digest.h"
#include "base/little_endian.h"

namespace kvasir::store {

using Key = Digest256;

enum class Kind : uint32_t {
  kBlock = 1,  // rows of a span of tokens
  kState = 2,  // what a sequence needs besides its blocks to go on behind that span
};

// A RecordId is what the store finds a payload by.
struct RecordId {
  Kind kind = Kind::kBlock;
  Key key{};
  bool operator==(const RecordId&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    return static_cast<size_t>(load_little_endian<uint64_t>(key.data()));
  }
};

struct RecordIdHash {
  size_t operator()(const RecordId& id) const {
    return KeyHash()(id.key) ^ static_cast<size_t>(id.kind);
  }
};

}  // namespace kvasir::store
