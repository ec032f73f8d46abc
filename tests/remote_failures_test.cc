// Engines that hang, die, come back and lose a part, and links that fail at every step: no request
// fails, no bit differs, an engine that fails is left alone and found again, and nothing is left
// behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine_driver.h"
#include "fault_proxy.h"
#include "real_redis.h"
#include "remote_driver.h"
#include "remote_objects.h"
#include "sanitized.h"
#include "seaweedfs_server.h"
#include "store/remote/object_names.h"
#include "store/remote/redis/redis_command.h"

namespace kvasir::testing {
namespace {

// ---- an engine that hangs and dies
// ---------------------------------------------------------------

struct FailingServer {
  std::string url;
  std::function<void()> stop, go_on, kill, restart;
  bool forgets = false;  // when it dies
  // Whether what it says to have after that can be read. SeaweedFS, killed before it has synced,
  // still lists objects that it answers 500 for.
  bool is_sound_again = true;
};

class RemoteServerFails : public RemoteTest {
 protected:
  // Texts that one engine has written are resumed by another, through all that happens to the
  // server.
  void resume_through(const FailingServer& server) {
    write_all(server);
    const int64_t threads = thread_count();
    {
      Engine engine = open("b", server.url);
      EXPECT_GE(resume(engine, 0), kEach / 2);
      server.stop();
      EXPECT_EQ(resume(engine, 1), 0);
      EXPECT_TRUE(is_closed_off(engine));
      server.go_on();
      wait_until_found(engine);
      EXPECT_GE(resume(engine, 2), kEach / 2);
      server.kill();
      EXPECT_EQ(resume(engine, 3), 0);
      EXPECT_TRUE(is_closed_off(engine));
      server.restart();
      wait_until_found(engine);
      const int64_t hits = resume(engine, 4);
      EXPECT_TRUE(!server.is_sound_again || (server.forgets ? hits == 0 : hits >= kEach / 2))
          << hits;
      EXPECT_GE(engine.remote_metrics().endpoints[0].closed_off_count, 2);
      EXPECT_EQ(wrong_bytes(engine), 0);
      EXPECT_TRUE(engine.flush_store().ok());
      if (!server.is_sound_again) {
        // What failed a while ago and fails again is lost, and is written over.
        std::this_thread::sleep_for(std::chrono::seconds(6));
        resume(engine, 4);
        EXPECT_TRUE(engine.flush_store().ok());
      }
    }
    {
      Engine engine = open("c", server.url);
      const int64_t hits = resume(engine, 4);
      EXPECT_GE(hits, kEach / 2) << "what it lost was written again";
      server.stop();
      EXPECT_EQ(resume(engine, 0), 0);
    }
    EXPECT_EQ(thread_count(), threads) << "the engines have ended, though the server hangs";
    server.go_on();
  }

  void write_all(const FailingServer& server) {
    for (int64_t i = 0; i < 5 * kEach; ++i) {
      texts_.push_back(random_tokens(200, 48, static_cast<uint64_t>(i)));
    }
    Engine engine = open("a", server.url);
    for (const Tokens& text : texts_) run(engine, text);
    ASSERT_TRUE(engine.flush_store().ok());
  }

  // Of one phase's texts, those of which something came from the server.
  int64_t resume(Engine& engine, int64_t phase) {
    int64_t hits = 0;
    for (int64_t i = phase * kEach; i < (phase + 1) * kEach; ++i) {
      hits += run(engine, texts_[static_cast<size_t>(i)]).remote_tokens > 0;
    }
    return hits;
  }

  // Whoever asks for something brings about that it is tried.
  void wait_until_found(Engine& engine) {
    for (uint64_t seed = 1; seed < 1200 && is_closed_off(engine); ++seed) {
      (void)engine.resume(random_tokens(200, 48, 1'000'000 + seed));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_FALSE(is_closed_off(engine));
  }

  static constexpr int64_t kEach = cases(20, 5);
  std::vector<Tokens> texts_;
};

TEST_F(RemoteServerFails, ARedisServerHangsDiesAndComesBackEmpty) {
  RealRedis redis;
  resume_through({.url = redis.url(),
                  .stop = [&] { redis.stop(); },
                  .go_on = [&] { redis.go_on(); },
                  .kill = [&] { redis.kill(); },
                  .restart = [&] { redis.restart(); },
                  .forgets = true});
}

TEST_F(RemoteServerFails, ABucketHangsDiesAndComesBack) {
  const auto program = SeaweedFsServer::program();
  if (!program) GTEST_SKIP() << "KVASIR_SEAWEEDFS names no program of SeaweedFS";
  SeaweedFsServer server(*program);
  const auto place = server.make_bucket("caches").hosts[0];
  const auto keys = SeaweedFsServer::credentials();
  const std::string file =
      private_file("credentials", "[default]\naws_access_key_id = " + keys.access_key_id +
                                      "\naws_secret_access_key = " + keys.secret_access_key + "\n");
  resume_through({.url = "s3://caches/all?endpoint=http://" + place.host + ":" +
                         std::to_string(place.port) + "&credentials_file=" + file,
                  .stop = [&] { server.stop(); },
                  .go_on = [&] { server.go_on(); },
                  .kill = [&] { server.kill(); },
                  .restart = [&] { server.restart(); },
                  .is_sound_again = false});
}

// ---- links that fail
// -----------------------------------------------------------------------------

// Of bytes from the server: answers to AUTH and SELECT, to questions, then records.
constexpr int64_t kPlaces[] = {0,  1,  4,  5,  7,   9,    10,   11,   12,    13,    14,    15,
                               16, 17, 18, 20, 100, 4095, 4110, 9000, 20000, 33000, 50000, 80000};

std::vector<FaultScript> all_faults() {
  std::vector<FaultScript> faults = {{.refuses = true}, {.hangs = true}, {.bytes_per_s = 300'000}};
  for (const int64_t at : kPlaces) {
    faults.push_back({.stop_after = at});
    faults.push_back({.reset_after = at});
    faults.push_back({.close_after = at});
    faults.push_back({.corrupt_at = at, .corrupt_bits = 4});
  }
  for (const int64_t at : {0, 10, 30, 60, 100, 150, 200}) {
    faults.push_back({.stop_requests_after = at});
  }
  for (int64_t at = 0; at < 10; ++at) {
    faults.push_back({.duplicate_at = at});
    faults.push_back({.swap_at = at});
  }
  return faults;
}

// Every how many of them one is run.
int64_t fault_stride() {
  return std::getenv("KVASIR_REMOTE_SCRIPTS") != nullptr ? 1 : cases(11, 35);
}

class RemoteLinkFails : public RemoteTest {
 protected:
  std::string url(int port) const {
    return "redis://:secret@127.0.0.1:" + std::to_string(port) + "/2";
  }

  // Writes what is not there of the text. A write that a busy machine is late with is given up.
  void fill() {
    for (int tries = 0; tries < 5 && !is_full(); ++tries) {
      run_at(options("full" + std::to_string(stores_++), url(redis_.port())), tokens_);
      if (full_count_ == 0) full_count_ = count();
    }
    EXPECT_TRUE(is_full()) << count() << " of " << full_count_;
  }
  int64_t count() const { return std::atoll(redis_.ask({"-n", "2", "DBSIZE"}).c_str()); }
  // More are written where a text went on from a part of it.
  bool is_full() const { return full_count_ > 0 && count() >= full_count_; }

  enum class Where { kEverywhere, kFirst, kBehindFirst };

  void run_through(const FaultScript& fault, Where where) {
    fill();
    const int64_t begin = proxy_.connections();
    proxy_.set_each([=](int64_t connection) {
      const bool is_first = connection == begin;
      const bool is_there = where == Where::kEverywhere || is_first == (where == Where::kFirst);
      return is_there ? fault : FaultScript{};
    });
    Engine engine = open("store" + std::to_string(stores_++), url(proxy_.port()));
    remote_tokens_ += run(engine, tokens_).remote_tokens;
    proxy_.set(FaultScript{});
    EXPECT_TRUE(engine.flush_store().ok());
    add(sum_, engine.remote_metrics().endpoints[0]);
  }

  const RealRedis redis_{{.password = "secret"}};
  FaultProxy proxy_{redis_.port()};
  const Tokens tokens_ = random_tokens(600, 48, 7);
  int64_t full_count_ = 0;
  int stores_ = 0;
  int64_t remote_tokens_ = 0;
  RemoteEndpointMetrics sum_;
};

TEST_F(RemoteLinkFails, NoBitDiffersWhereverItDoes) {
  const std::vector<FaultScript> faults = all_faults();
  int64_t resumes = 0;
  for (int64_t i = 0; i < std::ssize(faults); i += fault_stride()) {
    // What asks how much is there is the first connection; records come over all of them.
    for (const Where where : {Where::kEverywhere, Where::kFirst, Where::kBehindFirst}) {
      run_through(faults[static_cast<size_t>(i)], where);
      ++resumes;
    }
  }
  std::printf(
      "%lld resumes over failing links: %lld tokens from the server; calls failed %lld, too late "
      "%lld, wrong objects %lld, gone %lld, closed off %lld times\n",
      static_cast<long long>(resumes), static_cast<long long>(remote_tokens_),
      static_cast<long long>(sum_.failures), static_cast<long long>(sum_.deadline_exceeded),
      static_cast<long long>(sum_.wrong_bytes), static_cast<long long>(sum_.missing_objects),
      static_cast<long long>(sum_.closed_off_count));
  // Nearly all of the few that sanitizers run leave nothing to be had.
  EXPECT_TRUE(kIsSanitized || remote_tokens_ > 0);
  EXPECT_GT(sum_.failures, 0);
}

// ---- a cluster that loses a part
// -----------------------------------------------------------------

class RemoteCluster : public RemoteTest {
 protected:
  static constexpr int64_t kTexts = 24;

  RemoteCluster() {
    for (int64_t i = 0; i < kTexts; ++i) {
      texts_.push_back(random_tokens(200, 48, static_cast<uint64_t>(i)));
    }
    Engine engine = open("a", cluster_.url());
    for (const Tokens& text : texts_) {
      run(engine, text);
      keys_.push_back(*digest_of_hex(engine.key_of(text)));
    }
    EXPECT_TRUE(engine.flush_store().ok());
  }

  // A block and the state behind it: all that is to be had of a text.
  std::array<int, 2> slots_of(size_t text) const {
    const store::remote::ObjectNames names({});
    const auto slot = [&](store::Kind kind) {
      return store::remote::slot_of_key(store::remote::redis_key(names.of({kind, keys_[text]})));
    };
    return {slot(store::Kind::kBlock), slot(store::Kind::kState)};
  }
  bool has_part_at(size_t text, size_t node) const {
    return std::ranges::any_of(slots_of(text),
                               [&](int slot) { return RealCluster::owner_of(slot) == node; });
  }

  RealCluster cluster_;
  std::vector<Tokens> texts_;
  std::vector<store::Key> keys_;
};

TEST_F(RemoteCluster, WhatTheOthersHaveIsFoundWhenOneIsGone) {
  cluster_.node(1).kill();
  Engine engine = open("b", cluster_.url());
  for (size_t i = 0; i < texts_.size(); ++i) {
    EXPECT_EQ(run(engine, texts_[i]).remote_tokens, has_part_at(i, 1) ? 0 : 128) << i;
  }
  EXPECT_FALSE(is_closed_off(engine));
}

TEST_F(RemoteCluster, ASlotThatMovedIsFollowed) {
  const int moved = slots_of(0)[0];
  const size_t from = RealCluster::owner_of(moved);
  const size_t to = (from + 1) % 3;
  Engine engine = open("b", cluster_.url());
  for (size_t i = 12; i < texts_.size(); ++i) {
    EXPECT_EQ(run(engine, texts_[i]).remote_tokens, 128) << i;
  }
  cluster_.move_slot(moved, from, to);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(run(engine, texts_[i]).remote_tokens, 128) << i;
  EXPECT_EQ(engine.remote_metrics().endpoints[0].failures, 0);
}

}  // namespace
}  // namespace kvasir::testing
