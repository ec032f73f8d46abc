#include "base/sealing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kvasir {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> seal(const SealingKey& key, std::string_view message,
                            std::string_view context) {
  std::vector<std::byte> sealed(message.size() + SealingKey::kOverheadBytes);
  key.seal(bytes_of(message), bytes_of(context), sealed);
  return sealed;
}

std::optional<std::string> open(const SealingKey& key, std::span<const std::byte> sealed,
                                std::string_view context) {
  std::string message(sealed.size() - SealingKey::kOverheadBytes, ' ');
  if (!key.open(sealed, bytes_of(context), std::as_writable_bytes(std::span(message)))) return {};
  return message;
}

TEST(SealingTest, OpensUnderTheSameSecretPurposeAndContextAlone) {
  const SealingKey key(bytes_of("secret"), "records");
  const auto sealed = seal(key, "rows of a block", "name");
  EXPECT_EQ(open(SealingKey(bytes_of("secret"), "records"), sealed, "name"), "rows of a block");
  EXPECT_FALSE(open(SealingKey(bytes_of("secret!"), "records"), sealed, "name"));
  EXPECT_FALSE(open(SealingKey(bytes_of("secret"), "others"), sealed, "name"));
  EXPECT_FALSE(open(key, sealed, "name of another"));
}

TEST(SealingTest, EveryChangedByteIsNoticed) {
  const SealingKey key(bytes_of("secret"), "records");
  const auto sealed = seal(key, "rows", "name");
  for (size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(open(key, changed, "name")) << i;
  }
}

TEST(SealingTest, TheSameMessageIsSealedDifferentlyEachTime) {
  const SealingKey key(bytes_of("secret"), "records");
  EXPECT_NE(seal(key, "rows", "name"), seal(key, "rows", "name"));
}

TEST(SealingTest, EmptyMessagesAreSealedToo) {
  const SealingKey key(bytes_of("secret"), "records");
  EXPECT_EQ(open(key, seal(key, "", "name"), "name"), "");
}

}  // namespace
}  // namespace kvasir
