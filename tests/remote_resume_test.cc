// What one engine computed goes on at another, through a real Redis server, with the bits of a run
// that knew neither; and when that server is gone, hung, full or lying, only reuse is lost.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "real_redis.h"
#include "sanitized.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::new_session;
using testing::open_engine;
using testing::random_tokens;
using testing::RealRedis;
using testing::TempDirectory;

using Tokens = std::vector<int32_t>;
using Clock = std::chrono::steady_clock;

Tokens first(const Tokens& tokens, int64_t count) {
  return {tokens.begin(), tokens.begin() + count};
}

class RemoteResume : public ::testing::Test {
 protected:
  RemoteResume() {
    std::filesystem::create_directory(model_);
    testing::write_checkpoint(model_, testing::quick_model_spec());
  }

  // An engine with a store of its own, new each time, over the server.
  Engine open(const std::string& store, const std::string& url, int64_t new_tokens_min = 0) {
    EngineOptions options{.model_path = model_, .thread_count = 1, .needs_text = false};
    options.store = StoreOptions{.directory = directory_.file(store),
                                 .min_free_bytes = 0,
                                 .remote = {.urls = {url},
                                            .new_tokens_min = new_tokens_min,
                                            // Not to depend on how busy a machine is.
                                            .patience_min_ms = 10'000}};
    return open_engine(options);
  }

  std::vector<float> expected(const Tokens& tokens) {
    if (!reference_) {
      reference_.emplace(
          open_engine({.model_path = model_, .thread_count = 1, .needs_text = false}));
    }
    Session session = new_session(*reference_);
    EXPECT_TRUE(session.append(tokens).ok());
    return {session.logits().begin(), session.logits().end()};
  }

  // Goes on from what is there, checks the bits, and says whence its tokens came.
  ReusedTokens run(Engine& engine, const Tokens& tokens) {
    auto session = engine.resume(tokens);
    EXPECT_TRUE(session.ok());
    const auto resumed = static_cast<size_t>(session->length());
    EXPECT_TRUE(session->append(std::span(tokens).subspan(resumed)).ok());
    session->mark_resumable();
    const std::vector<float> wanted = expected(tokens);
    EXPECT_EQ(std::memcmp(wanted.data(), session->logits().data(), wanted.size() * sizeof(float)),
              0)
        << "resumed " << resumed << " of " << tokens.size();
    return session->reused();
  }

  TempDirectory directory_;
  std::string model_ = directory_.file("model");
  std::optional<Engine> reference_;
};

TEST_F(RemoteResume, APromptOfOneEngineGoesOnAtAnother) {
  const RealRedis redis;
  const Tokens tokens = random_tokens(9000, 48, 1);
  {
    Engine engine = open("a", redis.url(), 1024);
    run(engine, first(tokens, 8800));
    ASSERT_TRUE(engine.flush_store().ok());
  }
  Engine engine = open("b", redis.url(), 1024);
  const ReusedTokens reused = run(engine, tokens);
  EXPECT_EQ(reused.remote_tokens, 8704);
  EXPECT_EQ(reused.disk_tokens + reused.ram_tokens, 0);
  EXPECT_EQ(run(engine, tokens).remote_tokens, 0) << "its own store has it now";
  EXPECT_EQ(engine.remote_metrics().hit_tokens, 8704);
}

TEST_F(RemoteResume, ATextThatBranchesOffOneThatIsThereBeginsAtAStateThatBothShare) {
  const RealRedis redis;
  const Tokens tokens = random_tokens(9000, 48, 2);
  Tokens other = tokens;
  other[8300] = (other[8300] + 1) % 48;
  {
    Engine engine = open("a", redis.url());
    run(engine, tokens);
    ASSERT_TRUE(engine.flush_store().ok());
  }
  Engine engine = open("b", redis.url());
  EXPECT_EQ(run(engine, other).remote_tokens, 8192);
}

TEST_F(RemoteResume, SaltsAndSecretsKeepServersApart) {
  const RealRedis redis;
  const Tokens tokens = random_tokens(600, 48, 3);
  {
    Engine engine = open("a", redis.url());
    run(engine, tokens);
    ASSERT_TRUE(engine.flush_store().ok());
  }
  Engine engine = open("b", redis.url());
  EXPECT_EQ(engine.resume(tokens, {.salt = "tenant"})->length(), 0);
  EXPECT_EQ(engine.resume(tokens)->length(), 512);
}

TEST_F(RemoteResume, AServerThatIsNotThereCostsNothing) {
  const std::string nobody = "redis://127.0.0.1:" + std::to_string(testing::free_port());
  Engine engine = open("a", nobody);
  const auto begin = Clock::now();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(run(engine, random_tokens(300, 48, seed)).remote_tokens, 0);
  }
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
  EXPECT_TRUE(engine.remote_metrics().endpoints[0].is_closed_off);
}

TEST_F(RemoteResume, AServerThatHangsIsLeftAloneAndFoundAgain) {
  RealRedis redis;
  const Tokens tokens = random_tokens(600, 48, 4);
  {
    Engine engine = open("a", redis.url());
    run(engine, tokens);
    ASSERT_TRUE(engine.flush_store().ok());
  }
  redis.stop();
  Engine engine = open("b", redis.url());
  const auto begin = Clock::now();
  for (uint64_t seed = 50; seed < 60; ++seed) (void)engine.resume(random_tokens(600, 48, seed));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(2)) << "three waits of 0.1 s, then none";
  redis.go_on();
  int64_t found = 0;
  for (int i = 0; i < 200 && found == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = engine.resume(tokens)->length();
  }
  EXPECT_EQ(found, 512);
}

// Conversations that grow and branch at two engines, each with a store of its own that is lost now
// and then, over a server that has room for few of them and that fails in every way.
class RemoteScripts : public RemoteResume {
 protected:
  RemoteScripts()
      : redis_({.arguments = {"--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru"}}) {}

  void run_script(uint64_t seed) {
    random_.seed(seed);
    conversations_.assign(3, {});
    for (int step = 0; step < 6; ++step) {
      const size_t which = random_() % 2;
      if (!engines_[which] || chance(4)) {
        engines_[which].reset();
        // A machine that has lost its store, or a new one.
        std::filesystem::remove_all(directory_.file(kStores[which]));
        engines_[which].emplace(open(kStores[which], redis_.url()));
      }
      fail_somehow();
      const Tokens& tokens = next_text();
      const auto begin = Clock::now();
      count(run(*engines_[which], tokens));
      longest_ = std::max(longest_, Clock::now() - begin);
      const bool is_flushed = !chance(2) || engines_[which]->flush_store().ok();
      EXPECT_TRUE(is_flushed);
    }
  }

  void fail_somehow() {
    redis_.go_on();
    switch (random_() % 12) {
      case 0:
        return redis_.stop();
      case 1:
        redis_.kill();
        return redis_.restart();
      case 2:
        (void)redis_.ask({"CLIENT", "KILL", "TYPE", "normal"});
        return;
      case 3:
        return spoil_something();
      default:
        return;
    }
  }

  // A byte of some object that is there.
  void spoil_something() {
    const std::string position = std::to_string(random_() % 8000);
    (void)redis_.ask({"EVAL",
                      "local k = redis.call('RANDOMKEY') if k and redis.call('STRLEN', k) > " +
                          position + " then redis.call('SETRANGE', k, " + position +
                          ", 'x') end return 0",
                      "0"});
  }

  const Tokens& next_text() {
    Tokens& tokens = conversations_[random_() % 3];
    if (chance(4)) tokens = conversations_[random_() % 3];
    if (!tokens.empty() && chance(5)) tokens[random_() % tokens.size()] ^= 1;
    const size_t added = 1 + random_() % 260;
    for (size_t i = 0; i < added; ++i) tokens.push_back(static_cast<int32_t>(random_() % 48));
    if (tokens.size() > 900) tokens.resize(900);
    return tokens;
  }

  bool chance(uint64_t one_in) { return random_() % one_in == 0; }
  void count(const ReusedTokens& reused) {
    local_tokens_ += reused.ram_tokens + reused.disk_tokens;
    remote_tokens_ += reused.remote_tokens;
  }

  static constexpr const char* kStores[] = {"a", "b"};
  RealRedis redis_;
  std::mt19937_64 random_;
  std::optional<Engine> engines_[2];
  std::vector<Tokens> conversations_;
  int64_t local_tokens_ = 0;
  int64_t remote_tokens_ = 0;
  Clock::duration longest_{};
};

TEST_F(RemoteScripts, NoBitDiffersWhateverTheServerDoes) {
  const int64_t scripts = testing::cases(100, 10);
  for (int64_t seed = 1; seed <= scripts && !HasFailure(); ++seed) {
    run_script(static_cast<uint64_t>(seed));
  }
  EXPECT_GT(remote_tokens_, 128 * scripts / 4) << "the server was of use";
  RecordProperty("scripts", std::to_string(scripts));
  std::printf("%lld scripts: %lld tokens from own stores, %lld from the server, longest %.0f ms\n",
              static_cast<long long>(scripts), static_cast<long long>(local_tokens_),
              static_cast<long long>(remote_tokens_),
              std::chrono::duration<double, std::milli>(longest_).count());
}

}  // namespace
}  // namespace kvasir
