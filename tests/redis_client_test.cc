#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/stopwatch.h"
#include "real_redis.h"
#include "remote_objects.h"
#include "temp_directory.h"

namespace kvasir::testing {
namespace {

using store::remote::EngineFacts;
using store::remote::LinkLimits;
using store::remote::Listing;

constexpr size_t kBlockBytes = 453'920;
constexpr size_t kStateBytes = 3'648'512;

class Redis : public ::testing::TestWithParam<RedisFlavour> {
 protected:
  void SetUp() override {
    if (!redis_program(GetParam())) GTEST_SKIP() << "this server is not installed";
  }
  RedisOptions options(std::vector<std::string> arguments = {}) const {
    return {.flavour = GetParam(), .arguments = std::move(arguments)};
  }
};

INSTANTIATE_TEST_SUITE_P(Servers, Redis,
                         ::testing::Values(RedisFlavour::kRedis, RedisFlavour::kValkey),
                         [](const auto& one) {
                           return one.param == RedisFlavour::kRedis ? "Redis" : "Valkey";
                         });

TEST_P(Redis, WhatIsWrittenIsReadAndNeverOverwritten) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  for (const size_t size : {size_t{1}, size_t{16'383}, kBlockBytes, kStateBytes}) {
    const ObjectName name = name_of(size);
    EXPECT_EQ(read_one(*client, name, size)->outcome, ReadOutcome::kMissing);
    EXPECT_EQ(*write_one(*client, name, bytes_of(size, size)), WriteOutcome::kWritten);
    EXPECT_EQ(*write_one(*client, name, bytes_of(size + 1, size)), WriteOutcome::kPresent);
    const auto back = read_one(*client, name, size);
    EXPECT_EQ(back->outcome, ReadOutcome::kRead);
    EXPECT_EQ(back->bytes, bytes_of(size, size));
  }
}

TEST_P(Redis, KindsAreApart) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  for (const ObjectKind kind : {ObjectKind::kBlock, ObjectKind::kState, ObjectKind::kPack}) {
    EXPECT_EQ(*write_one(*client, name_of(1, kind), bytes_of(static_cast<uint64_t>(kind), 9)),
              WriteOutcome::kWritten);
  }
  EXPECT_EQ(read_one(*client, name_of(1, ObjectKind::kState), 9)->bytes, bytes_of('s', 9));
}

TEST_P(Redis, ManyAtOnceAreMoreThanMayBeUnderWay) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  constexpr size_t kCount = 40;  // 18 MB
  std::vector<Bytes> bytes;
  std::vector<ObjectWrite> writes;
  for (size_t i = 0; i < kCount; ++i) bytes.push_back(bytes_of(i, kBlockBytes));
  for (size_t i = 0; i < kCount; ++i) writes.push_back({.name = name_of(i), .bytes = bytes[i]});
  ASSERT_TRUE(client->write(writes, in_time()).ok());
  std::vector<Bytes> back(2 * kCount, Bytes(kBlockBytes));
  std::vector<ObjectRead> reads;
  for (size_t i = 0; i < back.size(); ++i) reads.push_back({.name = name_of(i), .into = back[i]});
  ASSERT_TRUE(client->read(reads, in_time()).ok());
  for (size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(reads[i].outcome, i < kCount ? ReadOutcome::kRead : ReadOutcome::kMissing);
    EXPECT_TRUE(i >= kCount || back[i] == bytes[i]);
  }
}

TEST_P(Redis, AProbeSaysWhichOfManyAreThere) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  std::vector<ObjectName> names;
  for (uint64_t i = 0; i < 8192; ++i) names.push_back(name_of(i));
  for (uint64_t i = 0; i < 8192; i += 97) (void)write_one(*client, names[i], bytes_of(i, 10));
  const auto is_present = client->probe(names, in_time());
  ASSERT_TRUE(is_present.ok());
  for (uint64_t i = 0; i < 8192; ++i) EXPECT_EQ((*is_present)[i], i % 97 == 0) << i;
  EXPECT_TRUE(client->probe({}, in_time())->empty());
}

TEST_P(Redis, RangesAreReadAndLengthsChecked) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  const Bytes all = bytes_of(3, 1000);
  (void)write_one(*client, name_of(3), all);
  const auto outcome = [&](size_t size, int64_t offset, bool is_whole) {
    const auto back = read_one(*client, name_of(3), size, offset, is_whole);
    const bool is_right = back->outcome != ReadOutcome::kRead ||
                          std::equal(back->bytes.begin(), back->bytes.end(), all.begin() + offset);
    EXPECT_TRUE(is_right);
    return back->outcome;
  };
  EXPECT_EQ(outcome(100, 0, false), ReadOutcome::kRead);
  EXPECT_EQ(outcome(100, 200, false), ReadOutcome::kRead);
  EXPECT_EQ(outcome(1000, 0, false), ReadOutcome::kRead);
  EXPECT_EQ(outcome(900, 100, true), ReadOutcome::kRead);
  EXPECT_EQ(outcome(899, 100, true), ReadOutcome::kWrongLength);
  EXPECT_EQ(outcome(901, 100, false), ReadOutcome::kWrongLength);
  EXPECT_EQ(outcome(999, 0, true), ReadOutcome::kWrongLength);
  EXPECT_EQ(outcome(1001, 0, true), ReadOutcome::kWrongLength);
  EXPECT_EQ(outcome(10, 5000, false), ReadOutcome::kWrongLength);
  EXPECT_EQ(read_one(*client, name_of(4), 10, 5000, false)->outcome, ReadOutcome::kMissing);
  EXPECT_EQ(read_one(*client, name_of(4), 10, 0, false)->outcome, ReadOutcome::kMissing);
}

// Somebody else put something else there: the connection goes on, whatever its length.
TEST_P(Redis, StrangeObjectsAreOfTheWrongLength) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  const Bytes large = bytes_of(1, 20'000'000);
  (void)write_one(*client, name_of(1), bytes_of(2, 3'000'000));
  (void)write_one(*client, name_of(2), large);
  (void)write_one(*client, name_of(3), bytes_of(3, 10));
  Bytes first(10);
  Bytes last(10);
  std::vector<ObjectRead> reads = {{.name = name_of(1), .into = first},
                                   {.name = name_of(3), .into = last}};
  ASSERT_TRUE(client->read(reads, in_time()).ok());
  EXPECT_EQ(reads[0].outcome, ReadOutcome::kWrongLength);
  EXPECT_EQ(reads[1].outcome, ReadOutcome::kRead);

  // One that is too long to be passed over ends the call, which says which one it was.
  reads[0].name = name_of(2);
  const Status status = client->read(reads, in_time());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kDamaged);
  EXPECT_EQ(reads[0].outcome, ReadOutcome::kWrongLength);
  EXPECT_EQ(reads[1].outcome, ReadOutcome::kUnknown);
  EXPECT_EQ(read_one(*client, name_of(3), 10)->outcome, ReadOutcome::kRead);
  // A part of it is no trouble.
  EXPECT_EQ(read_one(*client, name_of(2), 10, 0, false)->outcome, ReadOutcome::kRead);
}

TEST_P(Redis, ObjectsHaveTheirTime) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  // Of the object that is the only one of its length.
  const auto ttl_s = [&](size_t size) {
    const std::string script =
        "for _, k in ipairs(redis.call('KEYS', 'kv1/*')) do if redis.call('STRLEN', k) == " +
        std::to_string(size) + " then return redis.call('TTL', k) end end";
    return std::atoi(server.ask({"EVAL", script, "0"}).c_str());
  };
  (void)write_one(*client, name_of(1), bytes_of(1, 10), 1000);
  (void)write_one(*client, name_of(2), bytes_of(2, 20));
  EXPECT_NEAR(ttl_s(10), 950, 50);
  EXPECT_EQ(ttl_s(20), -1);
  const ObjectName names[] = {name_of(1), name_of(2), name_of(3)};
  ASSERT_TRUE(client->touch(names, 5000, in_time()).ok());
  EXPECT_NEAR(ttl_s(10), 4950, 50);
  EXPECT_NEAR(ttl_s(20), 4950, 50);
  ASSERT_TRUE(client->touch(names, 0, in_time()).ok());
  EXPECT_NEAR(ttl_s(10), 4950, 50);
  EXPECT_EQ(*client->probe(names, in_time()), (std::vector<bool>{true, true, false}));
}

TEST_P(Redis, ATouchMakesAnObjectYoung) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  (void)write_one(*client, name_of(1), bytes_of(1, 10));
  const std::string kIdle =
      "return redis.call('OBJECT', 'IDLETIME', redis.call('KEYS', 'kv1/*')[1])";
  const auto idle_s = [&] { return std::atoi(server.ask({"EVAL", kIdle, "0"}).c_str()); };
  for (int i = 0; i < 200 && idle_s() < 2; ++i) ::usleep(100'000);
  const int before_s = idle_s();
  const ObjectName names[] = {name_of(1)};
  ASSERT_TRUE(client->touch(names, 0, in_time()).ok());
  EXPECT_LT(idle_s(), before_s);
}

TEST_P(Redis, WhatIsRemovedIsGone) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  (void)write_one(*client, name_of(1), bytes_of(1, 10));
  (void)write_one(*client, name_of(2), bytes_of(2, 10));
  const ObjectName gone[] = {name_of(1), name_of(3)};
  ASSERT_TRUE(client->remove(gone, in_time()).ok());
  const ObjectName names[] = {name_of(1), name_of(2)};
  EXPECT_EQ(*client->probe(names, in_time()), (std::vector<bool>{false, true}));
}

TEST_P(Redis, AListingHasOursAndTheirLengths) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  for (uint64_t i = 0; i < 2000; ++i) {
    (void)write_one(*client, name_of(i, i % 2 == 0 ? ObjectKind::kBlock : ObjectKind::kState),
                    bytes_of(i, 1 + i));
  }
  server.ask({"SET", "other", "1"});
  server.ask({"SET", "kv1/b/short", "1"});
  server.ask({"RPUSH", "kv1/b/" + std::string(32, 'x'), "1"});
  std::set<std::pair<Digest256, int64_t>> seen;
  std::string cursor;
  int pages = 0;
  do {
    const auto page = client->list(cursor, in_time());
    ASSERT_TRUE(page.ok()) << page.error().message();
    for (const auto& one : page->objects) seen.emplace(one.name.hash, one.bytes);
    cursor = page->cursor;
    ++pages;
  } while (!cursor.empty());
  EXPECT_GT(pages, 1);
  EXPECT_EQ(seen.size(), 2000u);
  for (uint64_t i = 0; i < 2000; ++i) {
    EXPECT_TRUE(seen.contains({name_of(i).hash, static_cast<int64_t>(1 + i)})) << i;
  }
}

TEST_P(Redis, SaysWhatItIsAndHowItShouldBeSet) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  const auto facts = client->look(in_time());
  ASSERT_TRUE(facts.ok());
  EXPECT_TRUE(facts->version.starts_with(GetParam() == RedisFlavour::kRedis ? "Redis " : "Valkey "))
      << facts->version;
  EXPECT_GT(facts->used_bytes, 100'000);
  EXPECT_EQ(facts->limit_bytes, 0);
  ASSERT_EQ(facts->advice.size(), 2u);
  EXPECT_NE(facts->advice[0].message().find("maxmemory"), std::string::npos);
  EXPECT_NE(facts->advice[1].message().find("found maxmemory-policy noeviction"),
            std::string::npos);

  server.ask({"CONFIG", "SET", "maxmemory", "64mb"});
  server.ask({"CONFIG", "SET", "maxmemory-policy", "volatile-lru"});
  EXPECT_EQ(client->look(in_time())->limit_bytes, 64 << 20);
  EXPECT_EQ(client->look(in_time())->advice.size(), 1u);
  server.ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  EXPECT_TRUE(client->look(in_time())->advice.empty());
}

TEST_P(Redis, AFullServerHasNoRoom) {
  RealRedis server(options({"--maxmemory", "8mb", "--maxmemory-policy", "noeviction"}));
  const auto client = client_of(server.url());
  std::vector<Bytes> bytes;
  std::vector<ObjectWrite> writes;
  for (size_t i = 0; i < 30; ++i) bytes.push_back(bytes_of(i, kBlockBytes));
  for (size_t i = 0; i < 30; ++i) writes.push_back({.name = name_of(i), .bytes = bytes[i]});
  ASSERT_TRUE(client->write(writes, in_time()).ok());
  EXPECT_EQ(writes.front().outcome, WriteOutcome::kWritten);
  EXPECT_EQ(writes.back().outcome, WriteOutcome::kNoRoom);
  EXPECT_EQ(read_one(*client, name_of(0), kBlockBytes)->bytes, bytes[0]);
  EXPECT_EQ(read_one(*client, name_of(29), kBlockBytes)->outcome, ReadOutcome::kMissing);
}

TEST_P(Redis, OneThatThrowsAwayTakesAll) {
  RealRedis server(options({"--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"}));
  const auto client = client_of(server.url());
  for (uint64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(*write_one(*client, name_of(i), bytes_of(i, kBlockBytes)), WriteOutcome::kWritten);
  }
  int left = 0;
  for (uint64_t i = 0; i < 30; ++i) {
    const auto back = read_one(*client, name_of(i), kBlockBytes);
    if (back->outcome != ReadOutcome::kRead) continue;
    EXPECT_EQ(back->bytes, bytes_of(i, kBlockBytes));
    ++left;
  }
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 30);
}

TEST_P(Redis, DatabasesAreApart) {
  RealRedis server(options());
  const auto first = client_of(server.url());
  const auto third = client_of(server.url() + "/3");
  (void)write_one(*third, name_of(1), bytes_of(1, 10));
  EXPECT_EQ(read_one(*first, name_of(1), 10)->outcome, ReadOutcome::kMissing);
  EXPECT_EQ(read_one(*third, name_of(1), 10)->outcome, ReadOutcome::kRead);
  const auto none = read_one(*client_of(server.url() + "/9999"), name_of(1), 10);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kUsage);
}

// ---- who may
// --------------------------------------------------------------------------------------

std::string kind_of(const Status& status) {
  return status.ok() ? "ok" : std::string(name_of(status.error().kind));
}

TEST_P(Redis, APasswordIsAskedFor) {
  RedisOptions with_password = options();
  with_password.password = "open:sesame";
  RealRedis server(with_password);
  const std::string place = "127.0.0.1:" + std::to_string(server.port());
  const auto probe = [&](const std::string& url) {
    const auto answer = client_of(url)->probe(std::vector{name_of(1)}, in_time());
    if (answer.ok()) return std::string("ok");
    EXPECT_EQ(answer.error().message().find("sesame"), std::string::npos);
    return std::string(name_of(answer.error().kind));
  };
  EXPECT_EQ(probe("redis://:open%3Asesame@" + place), "ok");
  EXPECT_EQ(probe("redis://default:open%3Asesame@" + place), "ok");
  EXPECT_EQ(probe("redis://" + place), "usage");
  EXPECT_EQ(probe("redis://:wrong-sesame@" + place), "usage");
  TempDirectory directory;
  write_file(directory.file("p"), "open:sesame\n");
  ::chmod(directory.file("p").c_str(), 0600);
  EXPECT_EQ(probe("redis://" + place + "?password_file=" + directory.file("p")), "ok");
  ::setenv("REDISCLI_AUTH", "open:sesame", 1);
  EXPECT_EQ(probe("redis://" + place), "ok");
  EXPECT_EQ(probe("redis://:wrong@" + place), "usage");
  ::unsetenv("REDISCLI_AUTH");
}

TEST_P(Redis, AUserNeedsTheRightsThatAreDocumentedAndNoMore) {
  RealRedis server(options());
  EXPECT_EQ(server.ask({"ACL", "SETUSER", "kvasir", "on", ">secret", "~kv1/*", "+get", "+set",
                        "+getrange", "+exists", "+touch", "+expire", "+del", "+scan", "+strlen",
                        "+info"}),
            "OK");
  const auto client = client_of("redis://kvasir:secret@127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(*write_one(*client, name_of(1), bytes_of(1, 100), 1000), WriteOutcome::kWritten);
  EXPECT_EQ(read_one(*client, name_of(1), 100)->outcome, ReadOutcome::kRead);
  EXPECT_EQ(read_one(*client, name_of(1), 10, 10, false)->outcome, ReadOutcome::kRead);
  const ObjectName names[] = {name_of(1)};
  EXPECT_EQ(*client->probe(names, in_time()), std::vector{true});
  EXPECT_EQ(kind_of(client->touch(names, 100, in_time())), "ok");
  EXPECT_EQ(client->list("", in_time())->objects.size(), 1u);
  EXPECT_TRUE(client->look(in_time()).ok());
  EXPECT_EQ(kind_of(client->remove(names, in_time())), "ok");

  server.ask({"ACL", "SETUSER", "kvasir", "-exists", "-info", "-del"});
  EXPECT_EQ(client->probe(names, in_time()).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(client->look(in_time()).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(kind_of(client->remove(names, in_time())), "usage");
  EXPECT_EQ(*write_one(*client, name_of(2), bytes_of(1, 100)), WriteOutcome::kWritten);
}

TEST(RedisOverTls, TheServerProvesWhoItIs) {
  RealRedis server({.is_tls = true});
  RealRedis stranger({.is_tls = true});
  const auto client = client_of(server.url());
  EXPECT_EQ(*write_one(*client, name_of(1), bytes_of(1, kStateBytes)), WriteOutcome::kWritten);
  EXPECT_EQ(read_one(*client, name_of(1), kStateBytes)->bytes, bytes_of(1, kStateBytes));
  const std::string place = ":" + std::to_string(server.port());
  const std::string own = "?ca_file=" + server.ca_file();
  const auto refused = [](const std::string& url) {
    const auto answer = client_of(url)->probe(std::vector{name_of(1)}, in_time());
    return answer.ok() ? std::string("ok") : answer.error().message();
  };
  EXPECT_EQ(refused("rediss://127.0.0.1" + place + own), "ok");
  // The certificate names 127.0.0.1 only.
  EXPECT_NE(refused("rediss://127.0.0.2" + place + own).find("not trusted"), std::string::npos);
  EXPECT_NE(
      refused("rediss://localhost" + place + "?ca_file=" + stranger.ca_file()).find("not trusted"),
      std::string::npos);
  EXPECT_NE(refused("rediss://localhost" + place).find("not trusted"), std::string::npos);
  EXPECT_NE(refused("redis://localhost" + place), "ok");
}

TEST(RedisOverTls, AServerWithoutItIsNone) {
  RealRedis server;
  TempDirectory directory;
  const auto answer = client_of("rediss://127.0.0.1:" + std::to_string(server.port()), LinkLimits{})
                          ->probe(std::vector{name_of(1)}, in_time());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kIo);
  const auto url = store::remote::parse_remote_url("rediss://h?ca_file=" + directory.file("none"));
  EXPECT_FALSE(store::remote::RedisClient::create(*url).ok());
}

// ---- when it is unwell
// ----------------------------------------------------------------------------

TEST_P(Redis, OneThatHangsIsGivenUpSoonAndLaterUsedAgain) {
  RealRedis server(options());
  const auto client = client_of(server.url(), LinkLimits{});
  const std::vector<ObjectName> names = {name_of(1)};
  for (int i = 0; i < 100 && !client->probe(names, in_time()).ok(); ++i) {
  }
  server.stop();
  Stopwatch watch;
  const auto hung = client->probe(names, in_time());
  ASSERT_FALSE(hung.ok());
  EXPECT_EQ(hung.error().kind, ErrorKind::kIo);
  EXPECT_GE(watch.elapsed_ms(), 99);
  EXPECT_LT(watch.elapsed_ms(), 5000);
  const auto late = client->probe(names, in_ms(20));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::kInterrupted);
  server.go_on();
  const auto patient = client_of(server.url());
  EXPECT_TRUE(patient->probe(names, in_time()).ok());
  bool is_well = false;
  for (int i = 0; i < 100 && !is_well; ++i) is_well = client->probe(names, in_time()).ok();
  EXPECT_TRUE(is_well);
}

TEST_P(Redis, OneThatIsGoneIsMissedAtOnceAndFoundAgain) {
  RealRedis server(options());
  const auto client = client_of(server.url());
  (void)write_one(*client, name_of(1), bytes_of(1, 10));
  server.kill();
  const std::vector<ObjectName> names = {name_of(1)};
  EXPECT_EQ(client->probe(names, in_time()).error().kind, ErrorKind::kIo);
  server.restart();
  EXPECT_EQ(*client->probe(names, in_time()), std::vector{false});
  // It went and came between two calls: nobody notices.
  server.restart();
  EXPECT_EQ(*client->probe(names, in_time()), std::vector{false});
}

TEST_P(Redis, AReadOnlyReplicaRefusesToWrite) {
  RealRedis server(options());
  server.ask({"REPLICAOF", "127.0.0.1", std::to_string(free_port())});
  const auto client = client_of(server.url());
  const auto written = write_one(*client, name_of(1), bytes_of(1, 10));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::kIo);
  EXPECT_NE(written.error().message().find("READONLY"), std::string::npos);
}

TEST_P(Redis, AClusterThatIsDownIsSaid) {
  RealRedis server(options({"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"}));
  const auto answer = client_of(server.url())->probe(std::vector{name_of(1)}, in_time());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kIo);  // it has no slots yet
}

TEST(RedisClient, NobodyThereIsSaid) {
  const auto client = client_of("redis://127.0.0.1:" + std::to_string(free_port()));
  const auto answer = client->probe(std::vector{name_of(1)}, in_time());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kIo);
  EXPECT_NE(answer.error().message().find("Connection refused"), std::string::npos);
}

TEST(RedisClient, AHostWithoutAddressIsSaid) {
  const auto client = client_of("redis://no-such-host.invalid");
  const auto answer = client->probe(std::vector{name_of(1)}, in_ms(10'000));
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(answer.error().kind == ErrorKind::kIo ||
              answer.error().kind == ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace kvasir::testing
