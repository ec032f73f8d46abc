#include "store/remote/redis/cluster_map.h"

#include <gtest/gtest.h>

#include <string>

#include "store/remote/redis/redis_command.h"

namespace kvasir::store::remote {
namespace {

const HostPort kAsked{"10.0.0.9", 7000};

Result<ClusterMap> map_of(std::string_view text) {
  RespReader reader;
  reader.begin(ClusterMap::limits(), {});
  const auto taken = reader.take(std::as_bytes(std::span(text)));
  EXPECT_TRUE(taken.ok() && reader.is_done()) << text;
  return ClusterMap::read(reader.value(), kAsked);
}

std::string range(int first, int last, const std::string& host, int port) {
  return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) + "\r\n*4\r\n" + host +
         "\r\n:" + std::to_string(port) + "\r\n$1\r\ni\r\n*0\r\n";
}

TEST(SlotOfKey, IsRediss) {
  // As CLUSTER KEYSLOT says.
  EXPECT_EQ(slot_of_key("123456789"), 12739);
  EXPECT_EQ(slot_of_key("foo"), 12182);
  EXPECT_EQ(slot_of_key(""), 0);
  EXPECT_EQ(slot_of_key("a{foo}b"), 12182);
  EXPECT_EQ(slot_of_key("{foo}{bar}"), 12182);
  EXPECT_NE(slot_of_key("a{}foo"), 12182);
  EXPECT_NE(slot_of_key("foo}"), 12182);
  EXPECT_NE(slot_of_key("{foo"), 12182);
}

TEST(ClusterMap, KnowsWhoHasASlot) {
  const auto map = map_of("*3\r\n" + range(0, 99, "$1\r\na", 1) + range(200, 200, "$0\r\n", 2) +
                          range(300, 16383, "$-1", 3));
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(*map->owner(0), (HostPort{"a", 1}));
  EXPECT_EQ(*map->owner(99), (HostPort{"a", 1}));
  EXPECT_EQ(map->owner(100), nullptr);
  EXPECT_EQ(*map->owner(200), (HostPort{"10.0.0.9", 2}));  // whoever was asked
  EXPECT_EQ(*map->owner(16383), (HostPort{"10.0.0.9", 3}));
  EXPECT_EQ(map->places().size(), 3u);
  ClusterMap moved = *map;
  moved.set_owner(100, {"b", 4});
  EXPECT_EQ(*moved.owner(100), (HostPort{"b", 4}));
  EXPECT_EQ(map_of("*1\r\n" + range(0, 9, "$1\r\n?", 1))->owner(3), nullptr);
}

TEST(ClusterMap, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(":1\r\n"), std::string("*1\r\n:1\r\n"), "*1\r\n" + range(-1, 9, "$1\r\na", 1),
        "*1\r\n" + range(0, 16384, "$1\r\na", 1), "*1\r\n" + range(9, 8, "$1\r\na", 1),
        "*1\r\n" + range(0, 9, "$1\r\na", 0), "*1\r\n" + range(0, 9, "$1\r\na", 65536),
        "*1\r\n" + range(0, 9, ":1", 1), std::string("*1\r\n*2\r\n:1\r\n:2\r\n"),
        std::string("*1\r\n*3\r\n:1\r\n:2\r\n*1\r\n$1\r\na\r\n")}) {
    const auto map = map_of(text);
    ASSERT_FALSE(map.ok()) << text;
    EXPECT_EQ(map.error().kind, ErrorKind::kDamaged);
  }
}

TEST(Redirection, SaysWhereElse) {
  const auto of = [](const std::string& text) {
    return redirection_of({.kind = RespValue::Kind::kError, .text = text}, kAsked);
  };
  EXPECT_EQ(of("MOVED 3999 127.0.0.1:6381")->place, (HostPort{"127.0.0.1", 6381}));
  EXPECT_TRUE(of("MOVED 3999 127.0.0.1:6381")->is_for_good);
  EXPECT_EQ(of("MOVED 3999 127.0.0.1:6381")->slot, 3999);
  EXPECT_FALSE(of("ASK 1 ::1:6381")->is_for_good);
  EXPECT_EQ(of("ASK 1 ::1:6381")->place, (HostPort{"::1", 6381}));
  EXPECT_EQ(of("MOVED 1 :7")->place, (HostPort{"10.0.0.9", 7}));
  for (const char* text : {"MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a",
                           "MOVED 1 a:0", "MOVED 1 a:x", "ASKING 1 a:1", "ERR"}) {
    EXPECT_FALSE(of(text).has_value()) << text;
  }
}

TEST(RedisKey, IsReadAsItWasMade) {
  ObjectName name{ObjectKind::kState, {}};
  for (size_t i = 0; i < name.hash.size(); ++i) name.hash[i] = static_cast<std::byte>(i * 8);
  const std::string key = redis_key(name);
  EXPECT_TRUE(key.starts_with("kv1/s/"));
  ObjectName read;
  ASSERT_TRUE(read_redis_key(key, read));
  EXPECT_EQ(read, name);
  for (const std::string& other : {key + "x", key.substr(1), std::string("kv1/s/"),
                                   "kv1/x/" + key.substr(6), "kv2/s/" + key.substr(6)}) {
    EXPECT_FALSE(read_redis_key(other, read));
  }
}

}  // namespace
}  // namespace kvasir::store::remote
