// HMAC-SHA256 (RFC 2104): a digest that only who has the secret can compute. A pure function.
#pragma once

#include <cstddef>
#include <span>

#include "base/digest.h"

namespace kvasir {

// key: of any length, also empty.
Digest256 hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);

}  // namespace kvasir
