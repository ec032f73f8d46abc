// Digests name bytes by a number. XXH3-128 is fast and finds damage. SHA-256 makes keys, which an
// adversary may try to collide. This is the one place that knows the hash libraries. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvasir {

using Digest128 = std::array<std::byte, 16>;  // XXH3-128, most significant byte first
using Digest256 = std::array<std::byte, 32>;  // SHA-256

Digest128 xxh3_128(std::span<const std::byte> bytes);
// A short digest for the pieces of something that an XXH3-128 covers as a whole.
uint64_t xxh3_64(std::span<const std::byte> bytes);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& add(std::span<const std::byte> bytes);
  // Adds the bytes of a plain value, little-endian.
  template <class T>
  Sha256& add_value(const T& value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    return add(std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  // Adds the length, then the text: so "ab", "c" differs from "a", "bc".
  Sha256& add_text(std::string_view text);
  // The digest of all that was added. REQUIRES: called once.
  Digest256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC-SHA256 (RFC 2104): proves that `message` comes from somebody who knows the key.
Digest256 hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);

std::string to_hex(std::span<const std::byte> bytes);
std::string to_base64(std::span<const std::byte> bytes);
// Of 64 lower-case digits. None: anything else.
std::optional<Digest256> digest_of_hex(std::string_view text);

}  // namespace kvasir
