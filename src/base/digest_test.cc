#include "base/digest.h"

#include <gtest/gtest.h>

#include <string>
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

struct HmacExample {
  std::string key;
  std::string message;
  const char* hmac;
};

// RFC 4231's test cases with whole results, and the HMAC of nothing under an empty key.
TEST(Digest, HmacOfPublishedExamples) {
  std::string counted_key;
  for (char c = 1; c <= 25; ++c) counted_key += c;
  const std::string long_key(131, '\xaa');
  const HmacExample examples[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counted_key, std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {long_key,
       "This is a test using a larger than block-size key and a larger than block-size data. The "
       "key needs to be hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (const HmacExample& example : examples) {
    EXPECT_EQ(to_hex(hmac_sha256(bytes_of(example.key), bytes_of(example.message))), example.hmac);
  }
  EXPECT_EQ(hmac_sha256({}, {}), hmac_sha256(bytes_of(""), bytes_of("")));
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
