// A Tenant is one of several who use a store side by side: what one stores must not push out all
// that another has. Blocks hang on a root key, and a tenant's root keys say whose they are, so that
// no record needs a word more. Pure functions.
//
// A root that is nobody's is a plain SHA-256. A tenant's keeps the first 16 bytes of its hash; the
// tenant and a mark take the place of the others.
#pragma once

#include <cstdint>

#include "store/key.h"

namespace kvasir::store {

using Tenant = uint64_t;
// Whoever uses a store without saying who they are counts as one tenant.
inline constexpr Tenant kNobody = 0;

// Returns the root key with that hash that belongs to `tenant`.
Key tenant_root(const Key& hash, Tenant tenant);
// Returns whom a root key belongs to.
Tenant tenant_of_root(const Key& root);

}  // namespace kvasir::store
