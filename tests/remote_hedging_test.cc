// Two servers have the same, and the link to the first becomes slow, hangs, or stops within an
// answer: what is late comes from the second, with the same bits.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine_driver.h"
#include "fault_proxy.h"
#include "real_redis.h"
#include "remote_driver.h"

namespace kvasir::testing {
namespace {

struct LateLink {
  const char* name;
  FaultScript fault;
};

class RemoteLinkIsLate : public RemoteTest, public ::testing::WithParamInterface<LateLink> {
 protected:
  static constexpr int64_t kTexts = 32;  // enough to know how long answers take
  static constexpr int64_t kLateTexts = 4;

  static Tokens text(int64_t number) {
    return random_tokens(200, 48, static_cast<uint64_t>(number));
  }

  EngineOptions over_both(const std::string& store) const {
    EngineOptions both = options(store, "redis://127.0.0.1:" + std::to_string(proxy_.port()));
    both.store->remote.urls.push_back(second_.url());
    return both;
  }
  void write_all() {
    Engine engine = open_engine(over_both("a"));
    for (int64_t number = 0; number < kTexts + kLateTexts; ++number) run(engine, text(number));
    EXPECT_TRUE(engine.flush_store().ok());
  }

  // Returns of how many of these texts something came from the servers.
  int64_t resume(Engine& engine, int64_t begin, int64_t end) {
    int64_t hits = 0;
    for (int64_t number = begin; number < end; ++number) {
      hits += run(engine, text(number)).remote_tokens > 0;
    }
    return hits;
  }

  const RealRedis first_, second_;
  FaultProxy proxy_{first_.port()};
};

// Answers that are late by chance may have used up what may be asked for twice: then once more.
TEST_P(RemoteLinkIsLate, WhatIsOnItsWayComesFromTheOther) {
  write_all();
  int64_t won = 0;
  for (int i = 0; i < 8 && won == 0; ++i) {
    proxy_.set({});
    Engine engine = open_engine(over_both("b" + std::to_string(i)));
    EXPECT_GE(resume(engine, 0, kTexts), kTexts / 2);
    const int64_t won_before = engine.remote_metrics().endpoints[0].won_hedges;
    proxy_.set(GetParam().fault);
    proxy_.reset_all();
    EXPECT_GE(resume(engine, kTexts, kTexts + kLateTexts), 1);
    won = engine.remote_metrics().endpoints[0].won_hedges - won_before;
  }
  EXPECT_GE(won, 1);
}

// A Redis server that says nothing for 0.1 s has failed.
INSTANTIATE_TEST_SUITE_P(Links, RemoteLinkIsLate,
                         ::testing::Values(LateLink{"Slow", {.latency_ms = 40}},
                                           LateLink{"Hangs", {.hangs = true}},
                                           LateLink{"StopsInARecord", {.stop_after = 3000}}),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace kvasir::testing
