// An Owner is on whose behalf records were stored: one of several who use a store side by side and
// must not push out what the others have. Blocks hang on a root key, and a root key that is
// somebody's says whose it is, so that records need no word more. Pure functions.
//
// A root that is nobody's is a plain SHA-256. An owned one keeps the first 16 bytes of its hash;
// the owner and a mark take the place of the others.
#pragma once

#include <cstdint>

#include "store/key.h"

namespace kvasir::store {

using Owner = uint64_t;
// Whoever uses a store without saying who they are counts as one owner.
inline constexpr Owner kNobody = 0;

// Returns the root key with that hash that belongs to `owner`.
Key owned_root(const Key& hash, Owner owner);
// Returns whom a root key belongs to.
Owner owner_of_root(const Key& root);

}  // namespace kvasir::store
