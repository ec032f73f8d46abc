// Several servers that write the same conversations to one Redis at once, with room for a part of
// them: nobody ever changes an object, and all goes on with the same bits.
#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "engine_driver.h"
#include "real_redis.h"
#include "redis_watch.h"
#include "remote_driver.h"
#include "sanitized.h"

namespace kvasir::testing {
namespace {

constexpr int kWriters = 3;

class RemoteWriters : public RemoteTest {
 protected:
  RemoteWriters() {
    const Tokens shared = random_tokens(kTokensMax, kVocab, 1);
    for (int64_t i = 0; i < cases(50, 20); ++i) {
      Tokens text = random_tokens(kTokensMax - i * 8, kVocab, static_cast<uint64_t>(100 + i));
      // Every other one begins as the others do.
      if (i % 2 == 0) std::copy_n(shared.begin(), 300, text.begin());
      wanted_.push_back(expected(text));
      texts_.push_back(std::move(text));
    }
  }

  // What the server would need for all of them.
  int64_t bytes_of_all() {
    const RealRedis spacious;
    Engine engine = open("first", spacious.url());
    for (const Tokens& text : texts_) run(engine, text);
    EXPECT_TRUE(engine.flush_store().ok());
    return engine.remote_metrics().endpoints[0].written_bytes;
  }

  // Each of the servers has all conversations, from another one on; the sum of what came from
  // where.
  ReusedTokens run_all(const std::string& store, const std::string& url) {
    std::vector<ReusedTokens> sums(kWriters);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kWriters; ++i) {
      threads.emplace_back([this, i, &sums, &store, &url] {
        sums[i] = run_one(options(store + std::to_string(i), url), i);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return std::accumulate(sums.begin(), sums.end(), ReusedTokens{}, sum);
  }

  ReusedTokens run_one(const EngineOptions& options, size_t begin) {
    ReusedTokens reused;
    Engine engine = open_engine(options);
    for (size_t i = 0; i < texts_.size(); ++i) {
      const size_t which = (begin + i) % texts_.size();
      reused = sum(reused, run_text(engine, texts_[which], wanted_[which]));
      EXPECT_TRUE(i % 8 != 7 || engine.flush_store().ok());
    }
    EXPECT_TRUE(engine.flush_store().ok());
    EXPECT_EQ(wrong_bytes(engine), 0);
    return reused;
  }

  static ReusedTokens run_text(Engine& engine, const Tokens& text,
                               const std::vector<float>& wanted) {
    auto session = engine.resume(text);
    EXPECT_TRUE(session.ok());
    const auto resumed = static_cast<size_t>(session->length());
    EXPECT_TRUE(session->append(std::span(text).subspan(resumed)).ok());
    session->mark_resumable();
    EXPECT_TRUE(has_logits(*session, wanted)) << "resumed " << resumed << " of " << text.size();
    return session->reused();
  }

  static ReusedTokens sum(const ReusedTokens& a, const ReusedTokens& b) {
    return {a.ram_tokens + b.ram_tokens, a.disk_tokens + b.disk_tokens,
            a.remote_tokens + b.remote_tokens};
  }

  static constexpr int64_t kTokensMax = 1200;
  static constexpr int64_t kVocab = 48;
  std::vector<Tokens> texts_;
  std::vector<std::vector<float>> wanted_;
};

TEST_F(RemoteWriters, NeverChangeAnObjectAndGoOnExactly) {
  const int64_t needed = bytes_of_all();
  const RealRedis redis({.arguments = {"--maxmemory-policy", "allkeys-lru"}});
  const std::string info = redis.ask({"INFO", "memory"});
  const int64_t empty = std::atoll(info.c_str() + info.find("used_memory:") + 12);
  // What 24 connections take is not for records.
  const int64_t limit = empty + (int64_t{2} << 20) + needed / 10;
  ASSERT_EQ(redis.ask({"CONFIG", "SET", "maxmemory", std::to_string(limit)}), "OK");
  RedisWatch watch(redis);
  run_all("writer", redis.url());
  const ReusedTokens reused = run_all("reader", redis.url());
  const RedisWatchReport seen = watch.finish();
  std::printf(
      "%zu texts at %d servers, %.1f MB of records, room for %.1f: %lld writes of %lld objects, "
      "%lld evictions, %lld records read and proven; %lld tokens from the server\n",
      texts_.size(), kWriters, static_cast<double>(needed) / 1e6,
      static_cast<double>(limit - empty) / 1e6, static_cast<long long>(seen.writes),
      static_cast<long long>(seen.objects), static_cast<long long>(seen.evictions),
      static_cast<long long>(seen.observations), static_cast<long long>(reused.remote_tokens));
  EXPECT_EQ(seen.overwrites, 0);
  EXPECT_EQ(seen.other_changes, 0);
  EXPECT_EQ(seen.more_values, 0);
  EXPECT_EQ(seen.changed_contents, 0);
  EXPECT_EQ(seen.wrong_records, 0);
  // Fewer texts hardly need more room than the connections leave.
  EXPECT_GT(seen.evictions, kIsSanitized ? 0 : seen.objects / 2);
  EXPECT_GT(seen.observations, 0);
  EXPECT_GT(reused.remote_tokens, 0);
}

}  // namespace
}  // namespace kvasir::testing
