#include "base/sealing.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/digest.h"

namespace kvasir {
namespace {

constexpr std::byte kVersion{1};
constexpr int64_t kNonceBytes = 12;
constexpr int64_t kTagBytes = 16;
constexpr int64_t kStepBytes = int64_t{1} << 30;  // the library counts in int

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Context new_context() {
  Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  KVASIR_CHECK(context != nullptr, "memory for a cipher");
  return context;
}

const unsigned char* in(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* out(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

struct Parts {
  explicit Parts(std::span<const std::byte> sealed)
      : nonce(sealed.subspan(1, kNonceBytes)),
        bytes(sealed.subspan(1 + kNonceBytes, sealed.size() - SealingKey::kOverheadBytes)),
        tag(sealed.last(kTagBytes)) {}
  std::span<const std::byte> nonce, bytes, tag;
};

// Takes everything through the cipher, `update` being the library's function for a direction.
template <class Update>
bool run(const Update& update, std::span<const std::byte> from, std::span<std::byte> to) {
  while (!from.empty()) {
    const size_t step = std::min<size_t>(from.size(), kStepBytes);
    int written = 0;
    if (update(out(to), &written, in(from), static_cast<int>(step)) != 1) return false;
    KVASIR_CHECK(written == static_cast<int>(step), "a stream cipher gives as many bytes");
    from = from.subspan(step);
    to = to.subspan(step);
  }
  return true;
}

}  // namespace

SealingKey::SealingKey(std::span<const std::byte> secret, std::string_view purpose) {
  // HKDF (RFC 5869) without a salt, one block of output.
  const Digest256 extracted = hmac_sha256(std::array<std::byte, 32>{}, secret);
  std::vector<std::byte> info;
  std::ranges::copy(std::as_bytes(std::span(purpose)), std::back_inserter(info));
  info.push_back(std::byte{1});
  key_ = hmac_sha256(extracted, info);
}

void SealingKey::seal(std::span<const std::byte> message, std::span<const std::byte> context,
                      std::span<std::byte> sealed) const {
  KVASIR_CHECK(std::ssize(sealed) == std::ssize(message) + kOverheadBytes, "room for the message");
  sealed[0] = kVersion;
  const auto nonce = sealed.subspan(1, kNonceBytes);
  // The same key seals different bytes under one name, so nonces cannot be derived from it.
  KVASIR_CHECK(RAND_bytes(out(nonce), kNonceBytes) == 1, "random numbers of the system");
  const Context cipher = new_context();
  int written = 0;
  const bool is_ready =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, in(key_), in(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &written, in(context),
                        static_cast<int>(context.size())) == 1;
  const auto update = [&](auto... given) { return EVP_EncryptUpdate(cipher.get(), given...); };
  const bool is_sealed = is_ready && run(update, message, sealed.subspan(1 + kNonceBytes)) &&
                         EVP_EncryptFinal_ex(cipher.get(), nullptr, &written) == 1 &&
                         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                             out(sealed.last(kTagBytes))) == 1;
  KVASIR_CHECK(is_sealed, "AES-256-GCM is always there");
}

bool SealingKey::open(std::span<const std::byte> sealed, std::span<const std::byte> context,
                      std::span<std::byte> message) const {
  KVASIR_CHECK(std::ssize(sealed) == std::ssize(message) + kOverheadBytes, "room for the message");
  if (sealed[0] != kVersion) return false;
  const Parts parts(sealed);
  const Context cipher = new_context();
  int written = 0;
  std::array<unsigned char, kTagBytes> tag{};
  std::copy_n(in(parts.tag), kTagBytes, tag.begin());
  const auto update = [&](auto... given) { return EVP_DecryptUpdate(cipher.get(), given...); };
  return EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, in(key_), in(parts.nonce)) ==
             1 &&
         EVP_DecryptUpdate(cipher.get(), nullptr, &written, in(context),
                           static_cast<int>(context.size())) == 1 &&
         run(update, parts.bytes, message) &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(cipher.get(), nullptr, &written) == 1;
}

}  // namespace kvasir
