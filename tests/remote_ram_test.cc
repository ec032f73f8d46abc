// Under a RAM budget a prompt goes on at another server once the hot parts of its blocks are there:
// its cold rows are read from the remote engine until the blocks have come, and the bits are those
// of a run that knew neither. Where the engine goes away meanwhile, the tokens are computed again.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "engine_driver.h"
#include "fault_proxy.h"
#include "real_redis.h"
#include "remote_driver.h"
#include "sanitized.h"

namespace kvasir::testing {
namespace {

constexpr int64_t kPromptTokens = 8700;
constexpr int64_t kResumedTokens = 8576;  // whole blocks

// With more layers that pick than the quick model has: its cold rows take longer than its hot ones.
TinyModelSpec picking_model() {
  TinyModelSpec spec = quick_model_spec();
  spec.compress_ratios = {0, 4, 4, 4, 128};
  return spec;
}

class RemoteRam : public RemoteTest {
 protected:
  RemoteRam() : RemoteTest(picking_model()) {
    proxy_.set({.bytes_per_s = 3'000'000});
    Engine engine = open("writer", redis_.url(), int64_t{1} << 40);
    budget_bytes_ = engine.ram_bytes_min(kPromptTokens + 256) + (int64_t{64} << 10);
    Session session = new_session(engine);
    EXPECT_TRUE(session.append(prompt_).ok());
    session.mark_resumable();
    EXPECT_TRUE(engine.flush_store().ok());
  }

  Engine open(const std::string& store, const std::string& url, int64_t ram_bytes) const {
    EngineOptions wanted = options(store, url);
    wanted.ram_bytes = ram_bytes;
    wanted.store->remote.patience_min_ms = 20'000;
    return open_engine(wanted);
  }
  Engine open_reader(const FaultProxy& proxy) const {
    return open("reader", "redis://127.0.0.1:" + std::to_string(proxy.port()), budget_bytes_);
  }

  // All that the first server wrote of it is here, as far as it is needed now.
  Session resume(Engine& engine) const {
    auto session = engine.resume(longer());
    EXPECT_TRUE(session.ok());
    EXPECT_TRUE(is_brought(session->length())) << session->length();
    return std::move(*session);
  }

  std::vector<int32_t> longer() const {
    std::vector<int32_t> tokens = prompt_;
    const auto more = random_tokens(100, 48, 2);
    tokens.insert(tokens.end(), more.begin(), more.end());
    return tokens;
  }

  // A sanitized proxy is too slow now and then for the limits of a link.
  static bool is_brought(int64_t tokens) {
    return tokens == kResumedTokens || (kIsSanitized && tokens % 128 == 0);
  }

  // Goes on behind what was resumed, and compares the bits.
  void finish(Session& session) {
    const std::vector<int32_t> tokens = longer();
    const auto resumed = static_cast<size_t>(session.length());
    ASSERT_TRUE(session.append(std::span(tokens).subspan(resumed)).ok());
    if (expected_.empty()) expected_ = expected(tokens);
    EXPECT_TRUE(has_logits(session, expected_));
  }

  RealRedis redis_;
  FaultProxy proxy_{redis_.port()};
  std::vector<int32_t> prompt_ = random_tokens(kPromptTokens, 48, 1);
  int64_t budget_bytes_ = 0;
  std::vector<float> expected_;
};

TEST_F(RemoteRam, HotPartsComeFirstAndRowsAreReadFromTheEngineMeanwhile) {
  Engine engine = open_reader(proxy_);
  Session session = resume(engine);
  EXPECT_EQ(session.reused().remote_tokens, session.length());
  EXPECT_EQ(session.reused().ram_tokens, 0);
  EXPECT_LE(engine.kv_bytes(), budget_bytes_);
  finish(session);
  EXPECT_LE(engine.kv_bytes(), budget_bytes_);
  const RemoteMetrics metrics = engine.remote_metrics();
  EXPECT_TRUE(is_brought(metrics.head_blocks * 128)) << metrics.head_blocks;
  EXPECT_TRUE(kIsSanitized || metrics.late_pieces > 0);
}

TEST_F(RemoteRam, WhenTheEngineGoesAwayMeanwhileTheTokensAreComputedAgain) {
  Engine engine = open_reader(proxy_);
  Session session = resume(engine);
  proxy_.set({.refuses = true});
  proxy_.reset_all();
  finish(session);
  EXPECT_TRUE(kIsSanitized || engine.remote_metrics().endpoints[0].failures > 0);
}

TEST_F(RemoteRam, ColdRowsWithWrongBytesAreNeverUsed) {
  Engine engine = open_reader(proxy_);
  Session session = resume(engine);
  // A byte near the end of every record.
  (void)redis_.ask({"EVAL",
                    "for _, k in ipairs(redis.call('KEYS', '*')) do "
                    "redis.call('SETRANGE', k, redis.call('STRLEN', k) - 4000, 'wrong') end",
                    "0"});
  finish(session);
  EXPECT_TRUE(kIsSanitized || engine.remote_metrics().endpoints[0].wrong_bytes > 0);
}

TEST_F(RemoteRam, ASecondSessionSharesTheHotPartsOfTheFirst) {
  Engine engine = open_reader(proxy_);
  Session first = resume(engine);
  Session second = resume(engine);
  EXPECT_TRUE(is_brought(second.reused().ram_tokens)) << second.reused().ram_tokens;
  EXPECT_TRUE(is_brought(engine.remote_metrics().head_blocks * 128));
  finish(first);
  finish(second);
}

// Whatever happens to whichever connection, after whichever byte.
TEST_F(RemoteRam, NoBitDiffersWhateverTheLinkDoes) {
  const int64_t seeds = cases(10, 2);
  int64_t heads = 0, late_pieces = 0, resumed = 0;
  for (int64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    FaultProxy proxy(redis_.port(), random());
    proxy.set_each([&](int64_t) {
      FaultScript script{.bytes_per_s = 3'000'000};
      const auto place = static_cast<int64_t>(random() % 600'000);
      const std::array<int64_t*, 4> faults{&script.stop_after, &script.reset_after,
                                           &script.close_after, &script.corrupt_at};
      if (random() % 3 != 0) *faults[random() % faults.size()] = place;
      return script;
    });
    std::filesystem::remove_all(directory_.file("reader"));
    Engine engine = open_reader(proxy);
    auto session = engine.resume(longer());
    ASSERT_TRUE(session.ok());
    resumed += session->length() > 0;
    finish(*session);
    heads += engine.remote_metrics().head_blocks;
    late_pieces += engine.remote_metrics().late_pieces;
  }
  std::printf("%lld links: %lld resumed, %lld hot parts, %lld pieces read from the engine\n",
              static_cast<long long>(seeds), static_cast<long long>(resumed),
              static_cast<long long>(heads), static_cast<long long>(late_pieces));
  EXPECT_TRUE(kIsSanitized || heads > 0);
}

}  // namespace
}  // namespace kvasir::testing
