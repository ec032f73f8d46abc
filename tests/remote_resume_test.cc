// What one engine computed goes on at another, through a real Redis server, with the bits of a run
// that knew neither; and when that server is gone, hung, full or lying, only reuse is lost.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "engine_driver.h"
#include "real_redis.h"
#include "remote_driver.h"

namespace kvasir::testing {
namespace {

using Clock = std::chrono::steady_clock;
using RemoteResume = RemoteTest;

TEST_F(RemoteResume, APromptOfOneEngineGoesOnAtAnother) {
  const RealRedis redis;
  const Tokens tokens = random_tokens(9000, 48, 1);
  EngineOptions usual = options("a", redis.url());
  usual.store->remote.new_tokens_min = 1024;
  run_at(usual, first(tokens, 8800));
  Engine engine = open("b", redis.url());
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
  run_at(options("a", redis.url()), tokens);
  Engine engine = open("b", redis.url());
  EXPECT_EQ(run(engine, other).remote_tokens, 8192);
}

TEST_F(RemoteResume, AServerThatIsNotThereCostsNothing) {
  const std::string nobody = "redis://127.0.0.1:" + std::to_string(free_port());
  Engine engine = open("a", nobody);
  const auto begin = Clock::now();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(run(engine, random_tokens(300, 48, seed)).remote_tokens, 0);
  }
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
  EXPECT_TRUE(is_closed_off(engine));
}

TEST_F(RemoteResume, AServerThatHangsIsLeftAloneAndFoundAgain) {
  RealRedis redis;
  const Tokens tokens = random_tokens(600, 48, 4);
  run_at(options("a", redis.url()), tokens);
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

}  // namespace
}  // namespace kvasir::testing
