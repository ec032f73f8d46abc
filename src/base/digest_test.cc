#include "base/digest.h"

#include <gtest/gtest.h>

#include <string_view>

namespace kvasir {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// FIPS 180-4's example and the digest of nothing.
TEST(Digest, Sha256OfPublishedExamples) {
  EXPECT_EQ(to_hex(Sha256().add(bytes_of("abc")).finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(Sha256().finish()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4648's examples.
TEST(Digest, Base64OfPublishedExamples) {
  EXPECT_EQ(to_base64(bytes_of("")), "");
  EXPECT_EQ(to_base64(bytes_of("f")), "Zg==");
  EXPECT_EQ(to_base64(bytes_of("fo")), "Zm8=");
  EXPECT_EQ(to_base64(bytes_of("foo")), "Zm9v");
  EXPECT_EQ(to_base64(bytes_of("foobar")), "Zm9vYmFy");
}

// A digest is kept in files: another library version must not change it.
TEST(Digest, Xxh3KeepsItsValues) {
  EXPECT_EQ(to_hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(to_hex(xxh3_128(bytes_of("abc"))), "06b05ab6733a618578af5f94892f3950");
}

TEST(Digest, NeighbouringTextsAreTold) {
  const auto digest = [](std::string_view a, std::string_view b) {
    return Sha256().add_text(a).add_text(b).finish();
  };
  EXPECT_NE(digest("ab", "c"), digest("a", "bc"));
  EXPECT_NE(digest("", "abc"), digest("abc", ""));
}

TEST(Digest, ValuesGoInLittleEndian) {
  EXPECT_EQ(Sha256().add_value(uint32_t{0x04030201}).finish(),
            Sha256().add(bytes_of("\x01\x02\x03\x04")).finish());
}

}  // namespace
}  // namespace kvasir
