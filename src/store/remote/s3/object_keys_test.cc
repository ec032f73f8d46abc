#include "store/remote/s3/object_keys.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir::store::remote {
namespace {

ObjectName name_of(ObjectKind kind) {
  ObjectName name{kind, {}};
  for (size_t i = 0; i < name.hash.size(); ++i) name.hash[i] = static_cast<std::byte>(i * 7 + 0xa0);
  return name;
}

TEST(ObjectKeys, KeyHasPrefixKindAndAFolder) {
  const ObjectName name = name_of(ObjectKind::kBlock);
  const std::string digits = "a0a7aeb5bcc3cad1d8dfe6edf4fb020910171e252c333a41484f565d646b7279";
  EXPECT_EQ(key_of("", name), "kv1/b/a0/" + digits.substr(2));
  EXPECT_EQ(key_of("my/cache", name), "my/cache/kv1/b/a0/" + digits.substr(2));
  EXPECT_EQ(keys_prefix("my/cache"), "my/cache/kv1/");
}

TEST(ObjectKeys, NamesComeBack) {
  for (const ObjectKind kind : {ObjectKind::kBlock, ObjectKind::kState, ObjectKind::kPack}) {
    for (const std::string prefix : {"", "a", "a/kv1/b"}) {
      EXPECT_EQ(name_of_key(prefix, key_of(prefix, name_of(kind))), name_of(kind));
    }
  }
}

TEST(ObjectKeys, OtherKeysAreNoNames) {
  const std::string key = key_of("p", name_of(ObjectKind::kState));
  for (size_t size = 0; size < key.size(); ++size) {
    EXPECT_FALSE(name_of_key("p", key.substr(0, size)).has_value()) << size;
  }
  for (size_t at = 0; at < key.size(); ++at) {
    std::string other = key;
    other[at] = 'X';
    EXPECT_FALSE(name_of_key("p", other).has_value()) << at;
  }
  EXPECT_FALSE(name_of_key("p", key + "0").has_value());
  EXPECT_FALSE(name_of_key("", key).has_value());
}

}  // namespace
}  // namespace kvasir::store::remote
