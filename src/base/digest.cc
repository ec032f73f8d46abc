#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace kvasir {

Digest128 xxh3_128(std::span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Digest128 digest;
  static_assert(sizeof canonical.digest == sizeof digest);
  std::memcpy(digest.data(), canonical.digest, sizeof digest);
  return digest;
}

uint64_t xxh3_64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  KVASIR_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1,
               "libcrypto has SHA-256");
}
Sha256::~Sha256() = default;

Sha256& Sha256::add(std::span<const std::byte> bytes) {
  KVASIR_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
               "SHA-256 takes bytes");
  return *this;
}

Sha256& Sha256::add_text(std::string_view text) {
  add_value(static_cast<uint64_t>(text.size()));
  return add(std::as_bytes(std::span(text.data(), text.size())));
}

Digest256 Sha256::finish() {
  Digest256 digest;
  unsigned written = 0;
  KVASIR_CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()),
                                  &written) == 1 &&
                   written == digest.size(),
               "SHA-256 ends once");
  return digest;
}

Digest256 hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  Digest256 digest;
  unsigned written = 0;
  // libcrypto takes an empty key, but no null.
  const void* key_bytes = key.empty() ? "" : static_cast<const void*>(key.data());
  const unsigned char* done =
      HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &written);
  KVASIR_CHECK(done != nullptr && written == digest.size(), "libcrypto has HMAC");
  return digest;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte value : bytes) {
    text += kDigits[std::to_integer<unsigned>(value) >> 4];
    text += kDigits[std::to_integer<unsigned>(value) & 15];
  }
  return text;
}

std::string to_base64(std::span<const std::byte> bytes) {
  // With the null that OpenSSL puts behind it.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::optional<Digest256> digest_of_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Digest256 digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < digest.size(); ++i) {
    const size_t high = kDigits.find(text[2 * i]);
    const size_t low = kDigits.find(text[2 * i + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    digest[i] = static_cast<std::byte>(high << 4 | low);
  }
  return digest;
}

}  // namespace kvasir
