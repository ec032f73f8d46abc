// Sessions of one salt share what they compute; sessions of two never do, wherever it lies.
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::open_engine;
using testing::random_tokens;

const SessionOptions kAlice{.salt = "alice"};
const SessionOptions kBob{.salt = "bob"};
const SessionOptions kNobody;

// "" is DeepSeek-V4, whose rows may lie on disk; the other has no states at boundaries.
class SessionSalts : public ::testing::TestWithParam<const char*> {
 protected:
  SessionSalts() {
    const std::string name = GetParam();
    model_ = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
    if (!name.empty()) return;
    model_ = directory_.file("model");
    std::filesystem::create_directory(model_);
    testing::write_checkpoint(model_, testing::quick_model_spec());
  }

  EngineOptions options(int64_t ram_bytes = 0) const {
    EngineOptions options{.model_path = model_, .thread_count = 1, .needs_text = false};
    options.ram_bytes = ram_bytes;
    options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
    return options;
  }
  int64_t ram_for_one() const {
    return open_engine(options(int64_t{1} << 40)).ram_bytes_min(std::ssize(tokens_));
  }
  Session prompt(Engine& engine, const SessionOptions& salt) const {
    Session session = engine.resume(tokens_, salt).value();
    append_all(session, std::span(tokens_).subspan(static_cast<size_t>(session.length())));
    session.mark_resumable();
    return session;
  }
  static void expect_reused(const Session& session, int64_t ram_tokens, int64_t disk_tokens) {
    EXPECT_EQ(session.reused().ram_tokens, ram_tokens);
    EXPECT_EQ(session.reused().disk_tokens, disk_tokens);
  }

  testing::TempDirectory directory_;
  std::string model_;
  std::vector<int32_t> tokens_ = random_tokens(700, 48, 1);
};

INSTANTIATE_TEST_SUITE_P(Kinds, SessionSalts, ::testing::Values("", "llama"));

TEST_P(SessionSalts, ShareInMemoryWithTheirOwnOnly) {
  Engine engine = open_engine(options());
  const Session alice = prompt(engine, kAlice);
  const int64_t bytes_of_one = engine.kv_bytes();
  for (const SessionOptions& other : {kBob, kNobody}) {
    EXPECT_EQ(engine.resumable_tokens(tokens_, other), 0);
    const Session session = prompt(engine, other);
    expect_reused(session, 0, 0);
    EXPECT_GT(engine.kv_bytes(), bytes_of_one + engine.info().kv_block_bytes * 5);
  }
  ASSERT_TRUE(engine.flush_store().ok());
  EXPECT_EQ(engine.resumable_tokens(tokens_, kAlice), 640);
  const Session again = engine.resume(tokens_, kAlice).value();
  expect_reused(again, 640, 0);
  expect_reused(again.fork().value(), 0, 0);
}

TEST_P(SessionSalts, ShareOnDiskWithTheirOwnOnly) {
  for (const SessionOptions& first : {kAlice, kNobody}) {
    std::filesystem::remove_all(options().store->directory);
    {
      Engine engine = open_engine(options());
      prompt(engine, first);
    }
    Engine engine = open_engine(options());
    EXPECT_EQ(engine.resume(tokens_, kBob)->length(), 0);
    EXPECT_EQ(engine.resume(tokens_, first.salt.empty() ? kAlice : kNobody)->length(), 0);
    const int64_t lookups = engine.store_metrics()[StoreMetric::kLookups];
    EXPECT_EQ(engine.resumable_tokens(tokens_, first), 640);
    EXPECT_EQ(engine.store_metrics()[StoreMetric::kLookups], lookups);
    expect_reused(engine.resume(tokens_, first).value(), 0, 640);
  }
}

// A prefix that another session holds is shared, and what follows is read.
TEST_P(SessionSalts, ReusedTokensAreFromMemoryOrFromDisk) {
  {
    Engine engine = open_engine(options());
    prompt(engine, kAlice);
  }
  Engine engine = open_engine(options());
  Session live = engine.new_session(kAlice).value();
  append_all(live, std::span(tokens_).first(300));
  Session resumed = engine.resume(tokens_, kAlice).value();
  expect_reused(resumed, 256, 384);
  append_all(resumed, std::span(tokens_).subspan(640));
  ASSERT_TRUE(resumed.put_aside());
  append_all(resumed, random_tokens(5, 48, 2));
  expect_reused(resumed, 256, 384);
}

// A salt of the store's own is no salt of a session, and both count.
TEST_P(SessionSalts, AreKeptBesideTheSaltOfTheStore) {
  EngineOptions salted = options();
  salted.store->salt = kAlice.salt;
  {
    Engine engine = open_engine(options());
    prompt(engine, kAlice);
  }
  {
    Engine engine = open_engine(salted);
    EXPECT_EQ(engine.resume(tokens_, kNobody)->length(), 0);
    EXPECT_EQ(engine.resume(tokens_, kAlice)->length(), 0);
    prompt(engine, kBob);
    EXPECT_EQ(engine.resume(tokens_, kBob)->length(), 640);
  }
  EXPECT_EQ(open_engine(options()).resume(tokens_, kBob)->length(), 0);
}

// What comes back is saved, read and shared under the salt that it was put aside with. So it is in
// little RAM, where sessions make way for each other.
TEST_P(SessionSalts, StayWithSessionsThatArePutAside) {
  const std::vector<int32_t> more = random_tokens(200, 48, 3);
  std::vector<int32_t> all = tokens_;
  all.insert(all.end(), more.begin(), more.end());
  const EngineOptions tight = options(ram_for_one() * 3 / 2);
  for (const EngineOptions& one : {options(), tight}) {
    std::filesystem::remove_all(one.store->directory);
    Engine engine = open_engine(one);
    Session alice = prompt(engine, kAlice);
    Session bob = prompt(engine, kBob);
    ASSERT_TRUE(bob.put_aside());
    alice.put_aside();
    const int64_t hits = engine.store_metrics()[StoreMetric::kHitTokens];
    Session fork = alice.fork().value();
    EXPECT_EQ(engine.store_metrics()[StoreMetric::kHitTokens], hits + 640);
    bob = engine.new_session(kBob).value();
    append_all(alice, more);
    alice.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
    EXPECT_EQ(engine.resumable_tokens(all, kAlice), 896);
    EXPECT_EQ(engine.resumable_tokens(all, kBob), 640);
    EXPECT_EQ(engine.resumable_tokens(all, kNobody), 0);
    fork.put_aside();
    append_all(fork, more);
    fork.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
    EXPECT_EQ(engine.resumable_tokens(all, kBob), 640) << "a fork has its parent's salt";
  }
}

// Bob's sessions are more, newer and used more often than hers.
TEST_P(SessionSalts, StoringMuchPushesOutNothingOfAnothers) {
  EngineOptions small = options();
  small.store->budget_bytes = int64_t{4} << 20;
  Engine engine = open_engine(small);
  prompt(engine, kAlice);
  uint64_t seed = 10;
  while (engine.store_metrics()[StoreMetric::kEvictedStates] < 12) {
    const std::vector<int32_t> flood = random_tokens(500, 48, ++seed);
    {
      Session session = engine.new_session(kBob).value();
      append_all(session, flood);
      session.mark_resumable();
    }
    for (int use = 0; use < 3; ++use) EXPECT_GT(engine.resume(flood, kBob)->length(), 0);
  }
  EXPECT_EQ(engine.resumable_tokens(tokens_, kAlice), 640);
}

TEST(SessionSaltsWithoutAStore, NothingIsShared) {
  Engine engine =
      open_engine({.model_path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/llama",
                   .thread_count = 1,
                   .needs_text = false});
  Session session = engine.new_session(kAlice).value();
  const std::vector<int32_t> tokens = random_tokens(300, 48, 1);
  append_all(session, tokens);
  EXPECT_EQ(engine.resumable_tokens(tokens, kAlice), 0);
  EXPECT_EQ(engine.resume(tokens, kAlice)->length(), 0);
}

}  // namespace
}  // namespace kvasir
