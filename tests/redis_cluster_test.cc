#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "real_redis.h"
#include "remote_objects.h"
#include "store/remote/redis/redis_command.h"

namespace kvasir::testing {
namespace {

using store::remote::LinkLimits;
using store::remote::redis_key;
using store::remote::slot_of_key;

constexpr size_t kBytes = 20'000;

int slot_of(const ObjectName& name) { return slot_of_key(redis_key(name)); }
size_t owner_of(const ObjectName& name) { return RealCluster::owner_of(slot_of(name)); }

class RedisCluster : public ::testing::Test {
 protected:
  // Objects 0 to 199, spread over all three.
  void fill(ObjectClient& client) {
    std::vector<Bytes> bytes;
    std::vector<ObjectWrite> writes;
    for (uint64_t i = 0; i < kCount; ++i) {
      names_.push_back(name_of(i));
      bytes.push_back(bytes_of(i, kBytes));
    }
    for (size_t i = 0; i < kCount; ++i) writes.push_back({.name = names_[i], .bytes = bytes[i]});
    ASSERT_TRUE(client.write(writes, in_time()).ok());
    for (const ObjectWrite& one : writes) EXPECT_EQ(one.outcome, WriteOutcome::kWritten);
  }

  // Outcomes of reading all; what is read is right.
  std::vector<ReadOutcome> read_all(ObjectClient& client, Deadline deadline = in_time()) {
    std::vector<Bytes> back(kCount, Bytes(kBytes));
    std::vector<ObjectRead> reads;
    for (size_t i = 0; i < kCount; ++i) reads.push_back({.name = names_[i], .into = back[i]});
    const Status status = client.read(reads, deadline);
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message());
    std::vector<ReadOutcome> outcomes;
    for (size_t i = 0; i < kCount; ++i) {
      outcomes.push_back(reads[i].outcome);
      EXPECT_TRUE(reads[i].outcome != ReadOutcome::kRead || back[i] == bytes_of(i, kBytes));
    }
    return outcomes;
  }

  // Expects what one node had to be unknown, and all else to be read.
  void expect_without(size_t node, const std::vector<ReadOutcome>& outcomes) {
    for (size_t i = 0; i < kCount; ++i) {
      EXPECT_EQ(outcomes[i],
                owner_of(names_[i]) == node ? ReadOutcome::kUnknown : ReadOutcome::kRead);
    }
  }

  static constexpr size_t kCount = 200;
  std::vector<ObjectName> names_;
};

bool are_all_read(const std::vector<ReadOutcome>& outcomes) {
  return std::ranges::all_of(outcomes, [](ReadOutcome one) { return one == ReadOutcome::kRead; });
}

TEST_F(RedisCluster, ObjectsLieAtTheServersOfTheirSlots) {
  RealCluster cluster;
  const auto client = client_of(cluster.url());
  fill(*client);
  EXPECT_TRUE(are_all_read(read_all(*client)));
  std::array<int, 3> counts{};
  for (const ObjectName& name : names_) ++counts[owner_of(name)];
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GT(counts[i], 30);
    EXPECT_EQ(cluster.node(i).ask({"DBSIZE"}), std::to_string(counts[i]));
  }

  names_.push_back(name_of(1000));
  const auto is_present = client->probe(names_, in_time());
  EXPECT_EQ(std::ranges::count(*is_present, true), 200);
  EXPECT_FALSE(is_present->back());
  ASSERT_TRUE(client->touch(names_, 1000, in_time()).ok());
  std::set<Digest256> listed;
  std::string cursor;
  do {
    const auto page = client->list(cursor, in_time());
    ASSERT_TRUE(page.ok());
    for (const auto& one : page->objects) listed.insert(one.name.hash);
    cursor = page->cursor;
  } while (!cursor.empty());
  EXPECT_EQ(listed.size(), 200u);
  const auto facts = client->look(in_time());
  EXPECT_GT(facts->used_bytes, 4'000'000);
  EXPECT_EQ(facts->advice.size(), 6u);  // two at each server
  ASSERT_TRUE(client->remove(names_, in_time()).ok());
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(cluster.node(i).ask({"DBSIZE"}), "0");
  EXPECT_TRUE(client->part_failures().empty());
}

// A hash has bytes of any kind, and braces decide about a slot.
TEST_F(RedisCluster, NamesWithBracesAreFoundToo) {
  RealCluster cluster;
  const auto client = client_of(cluster.url());
  for (int i = 0; i < 20; ++i) {
    ObjectName name = name_of(static_cast<uint64_t>(i));
    name.hash[static_cast<size_t>(i)] = std::byte{'{'};
    name.hash[static_cast<size_t>(i + 1 + i % 5)] = std::byte{'}'};
    EXPECT_EQ(*write_one(*client, name, bytes_of(1, 10)), WriteOutcome::kWritten);
    EXPECT_EQ(cluster.node(owner_of(name)).ask({"DBSIZE"}).empty(), false);
  }
  EXPECT_TRUE(client->part_failures().empty());
}

TEST_F(RedisCluster, EachServerLetsUsInOverTlsByPassword) {
  RealCluster cluster({.password = "secret", .is_tls = true});
  const auto client = client_of(cluster.url());
  fill(*client);
  EXPECT_TRUE(are_all_read(read_all(*client)));
  EXPECT_TRUE(client->part_failures().empty());
  std::string wrong = cluster.url();
  wrong.replace(wrong.find("secret"), 6, "guess");
  EXPECT_EQ(client_of(wrong)->probe(names_, in_time()).error().kind, ErrorKind::kUsage);
}

TEST_F(RedisCluster, OneServerAloneIsNotAskedForAll) {
  RealCluster cluster;
  const auto client = client_of("redis://127.0.0.1:" + std::to_string(cluster.node(0).port()));
  ObjectName elsewhere = name_of(0);
  for (uint64_t i = 0; owner_of(elsewhere) == 0; ++i) elsewhere = name_of(i);
  const auto answer = client->probe(std::vector{elsewhere}, in_time());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUsage);
  EXPECT_NE(answer.error().message().find("redis+cluster://"), std::string::npos);
}

TEST_F(RedisCluster, AServerWithoutClusterIsNone) {
  RealRedis server;
  const auto answer = client_of("redis+cluster://127.0.0.1:" + std::to_string(server.port()))
                          ->probe(std::vector{name_of(1)}, in_time());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUsage);
}

TEST_F(RedisCluster, ASeedThatIsGoneIsPassedOver) {
  RealCluster cluster;
  const auto client = client_of("redis+cluster://127.0.0.1:" + std::to_string(free_port()) +
                                ",127.0.0.1:" + std::to_string(cluster.node(2).port()));
  fill(*client);
  EXPECT_TRUE(are_all_read(read_all(*client)));
}

// ---- one of them fails
// ----------------------------------------------------------------------------

TEST_F(RedisCluster, OneThatIsGoneTakesItsOwnObjectsOnly) {
  RealCluster cluster;
  const auto client = client_of(cluster.url());
  fill(*client);
  cluster.node(1).kill();
  expect_without(1, read_all(*client));
  const std::vector<Error> failures = client->part_failures();
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(failures.front().kind, ErrorKind::kIo);
  EXPECT_TRUE(client->part_failures().empty());

  const auto is_present = client->probe(names_, in_time());
  ASSERT_TRUE(is_present.ok());
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ((*is_present)[i], owner_of(names_[i]) != 1);

  // Objects of that server alone: then nobody answers.
  std::vector<ObjectName> lost;
  for (const ObjectName& name : names_) {
    if (owner_of(name) == 1) lost.push_back(name);
  }
  EXPECT_EQ(client->probe(lost, in_time()).error().kind, ErrorKind::kIo);

  cluster.node(1).restart();
  std::vector<ReadOutcome> outcomes;
  for (int i = 0; i < 100; ++i) {
    outcomes = read_all(*client);
    if (std::ranges::count(outcomes, ReadOutcome::kUnknown) == 0) break;
    ::usleep(200'000);
  }
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(outcomes[i], owner_of(names_[i]) == 1 ? ReadOutcome::kMissing : ReadOutcome::kRead);
  }
}

TEST_F(RedisCluster, OneThatHangsTakesItsOwnObjectsOnlyAndIsLeftAlone) {
  RealCluster cluster;
  // A patience that others keep on a busy machine, and that the deadline outlasts.
  const auto client = client_of(cluster.url(), {.connect = std::chrono::milliseconds(2000),
                                                .first_byte = std::chrono::milliseconds(2000)});
  fill(*client);
  cluster.node(2).stop();
  expect_without(2, read_all(*client));
  expect_without(2, read_all(*client));
  cluster.node(2).go_on();
  bool is_well = false;
  for (int i = 0; i < 100 && !is_well; ++i) {
    is_well = are_all_read(read_all(*client));
    if (!is_well) ::usleep(200'000);
  }
  EXPECT_TRUE(is_well);
}

TEST_F(RedisCluster, TheTimeThatOneUsesUpIsNotTakenFromOthers) {
  RealCluster cluster;
  fill(*client_of(cluster.url()));
  for (size_t i = 0; i < 3; ++i) {
    const auto client = client_of(cluster.url());
    EXPECT_TRUE(are_all_read(read_all(*client)));
    cluster.node(i).stop();
    expect_without(i, read_all(*client, in_ms(1000)));
    cluster.node(i).go_on();
  }
}

TEST_F(RedisCluster, AllThatAreGoneAreAnError) {
  RealCluster cluster;
  const auto client = client_of(cluster.url());
  fill(*client);
  for (size_t i = 0; i < 3; ++i) cluster.node(i).kill();
  EXPECT_FALSE(client->probe(names_, in_time()).ok());
  EXPECT_FALSE(client->probe(names_, in_time()).ok());
  for (size_t i = 0; i < 3; ++i) cluster.node(i).restart();
  bool is_well = false;
  for (int i = 0; i < 100 && !is_well; ++i) {
    is_well = client->probe(names_, in_time()).ok() && client->part_failures().empty();
    if (!is_well) ::usleep(200'000);
  }
  EXPECT_TRUE(is_well);
}

// ---- a slot moves
// ---------------------------------------------------------------------------------

class MovedSlot : public RedisCluster {
 protected:
  MovedSlot() : client_(client_of(cluster_.url())) {
    fill(*client_);
    for (const ObjectName& name : names_) {
      if (owner_of(name) == 0) name_ = name;
    }
    slot_ = slot_of(name_);
  }

  RealCluster cluster_;
  std::unique_ptr<ObjectClient> client_;
  ObjectName name_;
  int slot_ = 0;
};

TEST_F(MovedSlot, IsAskedForAtBothWhileItMoves) {
  cluster_.begin_move(slot_, 0, 1);
  EXPECT_TRUE(are_all_read(read_all(*client_)));
  // What is not there yet is written at its new place: ASK.
  ObjectName other = name_;
  for (uint64_t i = 0; other == name_ || slot_of(other) != slot_; ++i) {
    other = name_of(1'000'000 + i);
  }
  EXPECT_EQ(*write_one(*client_, other, bytes_of(5, 10)), WriteOutcome::kWritten);
  EXPECT_EQ(*write_one(*client_, other, bytes_of(6, 10)), WriteOutcome::kPresent);
  EXPECT_EQ(read_one(*client_, other, 10)->bytes, bytes_of(5, 10));
  EXPECT_EQ(cluster_.node(1).ask({"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot_)}), "1");
  EXPECT_TRUE(client_->part_failures().empty());
}

TEST_F(MovedSlot, IsFollowed) {
  cluster_.begin_move(slot_, 0, 1);
  cluster_.move_keys(slot_, 0, 1);
  EXPECT_EQ(cluster_.node(0).ask({"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot_)}), "0");
  EXPECT_TRUE(are_all_read(read_all(*client_)));
  cluster_.end_move(slot_, 1);
  EXPECT_TRUE(are_all_read(read_all(*client_)));
  EXPECT_TRUE(are_all_read(read_all(*client_)));
  const auto fresh = client_of(cluster_.url());
  EXPECT_TRUE(are_all_read(read_all(*fresh)));
  EXPECT_TRUE(client_->part_failures().empty());
}

}  // namespace
}  // namespace kvasir::testing
