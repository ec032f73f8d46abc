#include "base/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace kvasir {

Digest256 hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  Digest256 digest;
  unsigned int bytes = 0;
  // A null key would mean "the key of the last call".
  const void* key_bytes = key.empty() ? static_cast<const void*>("") : key.data();
  const unsigned char* made =
      HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &bytes);
  KVASIR_CHECK(made != nullptr && bytes == digest.size(), "HMAC-SHA256 is always there");
  return digest;
}

}  // namespace kvasir
