// Digests: XXH3-128 proves which bytes (fast, for damage), SHA-256 names content (for keys, which
// an adversary may try to collide). The one place where the hash libraries are known. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kvasir {

using Digest128 = std::array<std::byte, 16>;  // XXH3-128, most significant byte first
using Digest256 = std::array<std::byte, 32>;  // SHA-256

Digest128 xxh3_128(std::span<const std::byte> bytes);
// For pieces of what an XXH3-128 covers as a whole.
uint64_t xxh3_64(std::span<const std::byte> bytes);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& add(std::span<const std::byte> bytes);
  // Plain values by their bytes, little-endian.
  template <class T>
  Sha256& add_value(const T& value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    return add(std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  // Length first, so that two neighbouring strings cannot be taken for two others.
  Sha256& add_text(std::string_view text);
  // Of all that was added. REQUIRES: called once.
  Digest256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string to_hex(std::span<const std::byte> bytes);

}  // namespace kvasir
