// A SealingKey encrypts messages so that only who has the secret reads them or makes new ones
// (AES-256-GCM; the key is derived from the secret by HKDF-SHA256). A message is sealed for a
// context, its name for example: it opens under that context alone.
//
// A sealed message is a version byte, a random nonce of 12 bytes, the encrypted bytes and a tag of
// 16 bytes. A plain value; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kvasir {

class SealingKey {
 public:
  static constexpr int64_t kPrefixBytes = 1 + 12;  // before the encrypted bytes
  static constexpr int64_t kOverheadBytes = kPrefixBytes + 16;

  // purpose: keys for different ones are unrelated.
  SealingKey(std::span<const std::byte> secret, std::string_view purpose);

  // `message` may lie where its encrypted bytes will: at kPrefixBytes in `sealed`, here and below.
  // sealed: [message + kOverheadBytes]
  void seal(std::span<const std::byte> message, std::span<const std::byte> context,
            std::span<std::byte> sealed) const;
  // message: [sealed - kOverheadBytes]. False: it was not sealed so, and `message` says nothing.
  // REQUIRES: sealed.size() >= kOverheadBytes.
  bool open(std::span<const std::byte> sealed, std::span<const std::byte> context,
            std::span<std::byte> message) const;

 private:
  std::array<std::byte, 32> key_;
};

}  // namespace kvasir
