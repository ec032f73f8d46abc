// An engine that is late is not waited for where another has the same.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "store/remote/remote_test_support.h"
#include "store/remote/remote_tier.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PayloadSizes kSizes{.first_block_bytes = 9000, .block_bytes = 5000, .state_bytes = 7000};
constexpr EngineTraits kFast{.probes_max = 8192, .has_ttl = true};
constexpr EngineTraits kPacked{.probes_max = 1, .is_packed = true};
constexpr int64_t kBlocks = 40;

void let_go(std::atomic<bool>& held) {
  held = false;
  held.notify_all();
}

using Kind = HedgeRule::Kind;

// Two engines that have the same texts, and a server.
class HedgingTest : public ::testing::TestWithParam<std::pair<EngineTraits, EngineTraits>> {
 protected:
  HedgingTest() { write(endpoints()); }
  ~HedgingTest() override {
    let_go(first_.holds_probes);
    let_go(first_.holds_reads);
  }

  static Chain chain(uint64_t seed) { return make_chain(seed, kBlocks, kSizes); }

  std::vector<std::unique_ptr<Endpoint>> endpoints() {
    std::vector<std::unique_ptr<Endpoint>> all;
    all.push_back(first_.endpoint(GetParam().first, connections_));
    all.push_back(second_.endpoint(GetParam().second));
    return all;
  }
  void write(std::vector<std::unique_ptr<Endpoint>> engines) {
    OwnStore store;
    RemoteTier writer(*store.blocks, std::move(engines), {}, {});
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      store.put_chain(chain(seed), kBlocks);
      writer.write_now({chain(seed).key_at(kBlocks), kSizes});
    }
    EXPECT_TRUE(writer.flush(Clock::now() + seconds(60)));
  }
  // The first engine is waited for alone for late_after where it is asked for that.
  void open(Kind kind, milliseconds late_after = milliseconds(1)) {
    auto all = endpoints();
    rule_ = &all[0]->hedges();
    remember(*rule_, kind, late_after);
    tier_ = std::make_unique<RemoteTier>(*own_.blocks, std::move(all), std::vector<std::byte>{},
                                         RemoteOptions{});
  }

  // There is much time: computing would take minutes.
  std::shared_ptr<Fetch> begin_fetch(uint64_t seed) {
    return tier_->fetch({std::make_shared<Chain>(chain(seed)), 0, 10});
  }
  // Who waits for nothing for 0.3 s gives up: then the machine stood still, and it is begun again.
  FetchReport fetch(uint64_t seed) {
    return fetch(seed, [](const Fetch&) {});
  }
  FetchReport fetch(uint64_t seed, const std::function<void(const Fetch&)>& meanwhile) {
    FetchReport report{.gave_up = true};
    for (int i = 0; i < 10 && report.gave_up; ++i) {
      const auto fetch = begin_fetch(seed);
      meanwhile(*fetch);
      EXPECT_TRUE(fetch->wait_until(Clock::now() + seconds(60)));
      report = fetch->report();
    }
    return report;
  }
  // Records of the first engine come once that is so.
  template <class Condition>
  FetchReport fetch_late(uint64_t seed, Condition is_time) {
    return fetch(seed, [&](const Fetch& fetch) {
      wait_for([&] { return is_time() || fetch.is_done(); });
      if (is_time()) let_go(first_.holds_reads);
    });
  }
  bool is_all_right(uint64_t seed) const {
    return own_.right_blocks(chain(seed)) == kBlocks &&
           own_.is_right(chain(seed).state_id(kBlocks), kSizes.state_bytes);
  }
  RemoteEndpointMetrics counts(size_t engine) const { return tier_->metrics().endpoints[engine]; }
  static void spoil(FakeEngine& engine) {
    auto objects = engine.objects();
    for (auto& [name, bytes] : objects) bytes[4200] ^= std::byte{1};
    engine.set_objects(objects);
  }
  template <class Condition>
  static void wait_for(Condition is_so) {
    for (int i = 0; i < 4000 && !is_so(); ++i) std::this_thread::sleep_for(milliseconds(5));
    EXPECT_TRUE(is_so());
  }

  FakeEngine first_, second_;
  int connections_ = 4;  // to the first
  OwnStore own_;
  HedgeRule* rule_ = nullptr;  // of the first
  std::unique_ptr<RemoteTier> tier_;
};

TEST_P(HedgingTest, LateRecordsComeFromTheNextEngine) {
  open(Kind::kRead);
  first_.holds_reads = true;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_GE(counts(0).won_hedges, 2) << "blocks and a state";
  EXPECT_EQ(counts(0).read_objects, 0);
  let_go(first_.holds_reads);
  wait_for([&] { return counts(0).read_objects > 0; });
  for (const size_t engine : {0, 1}) {
    EXPECT_EQ(counts(engine).failures, 0) << "to be late is none";
    EXPECT_EQ(counts(engine).deadline_exceeded, 0);
  }
}

TEST_P(HedgingTest, WhereAnAnswerIsLateTheNextEngineSaysWhatItHas) {
  open(Kind::kProbe);
  first_.holds_probes = true;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_EQ(counts(0).hedged_requests, 1);
  EXPECT_EQ(counts(0).won_hedges, 1);
  EXPECT_EQ(counts(0).read_objects, 0);
  let_go(first_.holds_probes);
  tier_.reset();
}

TEST_P(HedgingTest, WhoIsNotLateIsAskedAlone) {
  open(Kind::kRead, seconds(100));
  const int64_t before = second_.calls;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_EQ(second_.calls, before);
  EXPECT_EQ(counts(0).hedged_requests, 0);
}

TEST_P(HedgingTest, WhenNoMoreMayBeAskedTwiceTheFirstIsWaitedFor) {
  open(Kind::kRead);
  while (rule_->take()) continue;
  const int64_t taken = counts(0).hedged_requests;
  const int64_t before = second_.calls;
  first_.read_ms = 10;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_EQ(counts(0).hedged_requests, taken);
  EXPECT_EQ(second_.calls, before);
}

TEST_P(HedgingTest, AnEngineThatIsLeftAloneIsNotAsked) {
  open(Kind::kRead);
  second_.fault = FakeEngine::Fault::kGone;
  for (uint64_t seed = 10; !counts(1).is_closed_off; ++seed) fetch(seed);
  remember(*rule_, Kind::kRead, milliseconds(1));
  const int64_t hedged = counts(0).hedged_requests;
  first_.read_ms = 10;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_EQ(counts(0).hedged_requests, hedged);
}

TEST_P(HedgingTest, WhereTheNextEngineHasNothingTheFirstIsHeard) {
  second_.set_objects({});
  open(Kind::kRead);
  first_.holds_reads = true;
  const auto is_asked = [&] { return counts(1).seconds[size_t{1}].count > 0; };
  EXPECT_EQ(fetch_late(1, is_asked).blocks, kBlocks);
  EXPECT_GE(counts(0).hedged_requests, 1);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_EQ(counts(0).won_hedges, 0);
  EXPECT_EQ(counts(1).missing_objects, 0) << "nobody said that they were there";
  EXPECT_EQ(counts(1).failures, 0);
}

TEST_P(HedgingTest, WhereTheNextEngineIsWrongTheFirstIsHeard) {
  spoil(second_);
  open(Kind::kRead);
  first_.holds_reads = true;
  EXPECT_EQ(fetch_late(1, [&] { return counts(1).wrong_bytes > 0; }).blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_EQ(counts(0).wrong_bytes, 0);
}

TEST_P(HedgingTest, WhereBothAreWrongNothingIsUsed) {
  spoil(first_);
  spoil(second_);
  open(Kind::kRead);
  first_.holds_reads = true;
  EXPECT_EQ(fetch_late(1, [&] { return counts(1).wrong_bytes > 0; }).blocks, 0);
  EXPECT_EQ(own_.right_blocks(chain(1)), 0);
  EXPECT_GE(counts(0).wrong_bytes, 1);
  EXPECT_EQ(counts(0).won_hedges, 0);
}

TEST_P(HedgingTest, WhatTheSoonerOneDoesNotHaveIsAskedOfTheOneThatIsLate) {
  second_.set_objects({});
  std::vector<std::unique_ptr<Endpoint>> second;
  second.push_back(second_.endpoint(GetParam().second));
  OwnStore store;
  store.put_chain(chain(1), kBlocks - 4);
  {
    RemoteTier writer(*store.blocks, std::move(second), {}, {});
    writer.write_now({chain(1).key_at(kBlocks - 4), kSizes});
    EXPECT_TRUE(writer.flush(Clock::now() + seconds(60)));
  }
  open(Kind::kProbe);
  first_.holds_probes = true;
  const auto report = fetch(1, [&](const Fetch& fetch) {
    wait_for([&] { return counts(1).read_objects > 0 || fetch.is_done(); });
    let_go(first_.holds_probes);
  });
  EXPECT_EQ(report.blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
}

TEST_P(HedgingTest, AnAnswerThatNothingIsThereDoesNotMakeALostRaceGoOn) {
  second_.set_objects({});
  open(Kind::kRead);
  first_.holds_reads = true;
  const auto fetch = begin_fetch(1);
  ASSERT_TRUE(fetch->wait_until(Clock::now() + seconds(20)));
  EXPECT_TRUE(fetch->report().gave_up);
}

TEST_P(HedgingTest, AFailureIsTriedAgainWhereTheNextEngineHasNothing) {
  if (GetParam().first.is_packed) GTEST_SKIP() << "one call brings the blocks";
  second_.set_objects({});
  connections_ = 1;
  open(Kind::kRead);
  first_.read_ms = 10;
  first_.reads_before_one_fails = 3;
  EXPECT_EQ(fetch(1).blocks, kBlocks);
  EXPECT_TRUE(is_all_right(1));
  EXPECT_EQ(counts(0).failures, 1);
  EXPECT_EQ(counts(0).won_hedges, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, HedgingTest,
                         ::testing::Values(std::pair(kFast, kFast), std::pair(kFast, kPacked),
                                           std::pair(kPacked, kFast), std::pair(kPacked, kPacked)),
                         [](const auto& given) {
                           const auto name = [](const EngineTraits& traits) {
                             return std::string(traits.is_packed ? "Packed" : "Fast");
                           };
                           return name(given.param.first) + name(given.param.second);
                         });

TEST(HedgingOneEngineTest, IsWaitedFor) {
  FakeEngine engine;
  OwnStore store, own;
  const Chain chain = make_chain(1, kBlocks, kSizes);
  const auto one = [&] {
    std::vector<std::unique_ptr<Endpoint>> all;
    all.push_back(engine.endpoint(kFast));
    remember(all[0]->hedges(), Kind::kRead, milliseconds(1));
    return all;
  };
  store.put_chain(chain, kBlocks);
  RemoteTier writer(*store.blocks, one(), {}, {});
  writer.write_now({chain.key_at(kBlocks), kSizes});
  EXPECT_TRUE(writer.flush(Clock::now() + seconds(60)));
  engine.read_ms = 10;
  RemoteTier reader(*own.blocks, one(), {}, {});
  FetchReport report{.gave_up = true};
  for (int i = 0; i < 10 && report.gave_up; ++i) {
    const auto fetch = reader.fetch({std::make_shared<Chain>(chain), 0, 10});
    EXPECT_TRUE(fetch->wait_until(Clock::now() + seconds(60)));
    report = fetch->report();
  }
  EXPECT_EQ(report.blocks, kBlocks);
  EXPECT_EQ(reader.metrics().endpoints[0].hedged_requests, 0);
}

}  // namespace
}  // namespace kvasir::store::remote
