#include "store/remote/remote_tier.h"

#include <gtest/gtest.h>

#include "store/remote/remote_test_support.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PayloadSizes kSizes{.first_block_bytes = 9000, .block_bytes = 5000, .state_bytes = 7000};
constexpr PayloadSizes kNoStates{.first_block_bytes = 900, .block_bytes = 900};
constexpr EngineTraits kFast{.probes_max = 8192, .has_ttl = true, .doubt = milliseconds(0)};
constexpr EngineTraits kPacked{.probes_max = 1, .is_packed = true, .doubt = milliseconds(0)};

// One server: its store, and its tier over the same engines as those of the others.
struct Server {
  explicit Server(std::vector<std::unique_ptr<Endpoint>> endpoints, RemoteOptions options = {},
                  std::string_view secret = "", int64_t budget_bytes = int64_t{1} << 30)
      : own(budget_bytes),
        tier(*own.blocks, std::move(endpoints),
             {std::as_bytes(std::span(secret)).begin(), std::as_bytes(std::span(secret)).end()},
             options) {}

  void write(const Chain& chain, int64_t blocks) {
    own.put_chain(chain, blocks);
    tier.write_now({chain.key_at(blocks), chain.sizes});
    EXPECT_TRUE(tier.flush(Clock::now() + seconds(20)));
  }
  // Waits for what the engines have of it. Slow computing by default: there is time.
  FetchReport fetch(const Chain& chain, int64_t have = 0, double tokens_per_s = 10) {
    const auto fetch = tier.fetch({std::make_shared<Chain>(chain), have, tokens_per_s});
    EXPECT_TRUE(fetch->wait_until(Clock::now() + seconds(20)));
    return fetch->report();
  }

  OwnStore own;
  RemoteTier tier;
};

template <class... Endpoints>
std::vector<std::unique_ptr<Endpoint>> list(Endpoints... endpoints) {
  std::vector<std::unique_ptr<Endpoint>> all;
  (all.push_back(std::move(endpoints)), ...);
  return all;
}

struct Case {
  const char* name;
  EngineTraits traits;
  PayloadSizes sizes;
  bool encrypts;
};

class RemoteTierTest : public ::testing::TestWithParam<Case> {
 protected:
  RemoteTierTest() : writer_(server()), reader_(server()) {}

  std::vector<std::unique_ptr<Endpoint>> endpoints() {
    return list(engine_.endpoint(GetParam().traits));
  }
  std::unique_ptr<Server> server(std::string_view secret = "a secret") {
    return std::make_unique<Server>(endpoints(), RemoteOptions{.encrypts = GetParam().encrypts},
                                    secret);
  }
  Chain chain(uint64_t seed, int64_t blocks) const {
    return make_chain(seed, blocks, GetParam().sizes);
  }
  bool has_states() const { return GetParam().sizes.state_bytes > 0; }

  FakeEngine engine_;
  std::unique_ptr<Server> writer_, reader_;
};

TEST_P(RemoteTierTest, WhatOneServerWroteGoesOnAtAnother) {
  const Chain chain = this->chain(1, 70);
  writer_->write(chain, 70);
  const FetchReport report = reader_->fetch(chain);
  EXPECT_EQ(report.blocks, 70);
  EXPECT_EQ(reader_->own.right_blocks(chain), 70);
  if (has_states()) {
    EXPECT_TRUE(reader_->own.is_right(chain.state_id(70), kSizes.state_bytes));
    EXPECT_FALSE(reader_->own.has(chain.state_id(32))) << "only the state that is used";
  }
  EXPECT_EQ(reader_->tier.metrics().hit_tokens, 70 * 128);
}

TEST_P(RemoteTierTest, ALongerTextGoesOnFromWhereTheWrittenOneEnded) {
  writer_->write(chain(1, 45), 45);
  EXPECT_EQ(reader_->fetch(chain(1, 90)).blocks, 45);
}

TEST_P(RemoteTierTest, OnlyWhatTheOwnStoreLacksIsBrought) {
  const Chain chain = this->chain(1, 70);
  writer_->write(chain, 70);
  reader_->own.put_chain(chain, 40);
  const FetchReport report = reader_->fetch(chain, 40);
  EXPECT_EQ(report.blocks, 70);
  EXPECT_EQ(reader_->own.right_blocks(chain), 70);
  const auto read = reader_->tier.metrics().endpoints[0].read_bytes;
  EXPECT_LT(read, 31 * (4096 + 8192) + 4096 + 8192 + 4096) << "30 blocks and a state";
}

TEST_P(RemoteTierTest, AnotherTextIsNotThere) {
  writer_->write(chain(1, 40), 40);
  EXPECT_EQ(reader_->fetch(chain(2, 40)).blocks, 0);
  EXPECT_EQ(reader_->fetch(chain(2, 40)).blocks, 0);
  EXPECT_EQ(reader_->tier.metrics().negative_hits, 1) << "the second time nobody is asked";
}

TEST_P(RemoteTierTest, WhoHasAnotherSecretFindsNothing) {
  writer_->write(chain(1, 40), 40);
  EXPECT_EQ(server("another secret")->fetch(chain(1, 40)).blocks, 0);
}

TEST_P(RemoteTierTest, ServersThatSealAndThoseThatDoNotLeaveEachOtherAlone) {
  Server other(endpoints(), {.encrypts = !GetParam().encrypts}, "a secret");
  writer_->write(chain(1, 40), 40);
  const auto first = engine_.objects();
  EXPECT_EQ(other.fetch(chain(1, 40)).blocks, 0);
  EXPECT_EQ(other.tier.metrics().endpoints[0].wrong_bytes, 0);
  other.write(chain(1, 40), 40);
  EXPECT_EQ(reader_->fetch(chain(1, 40)).blocks, 40);
  EXPECT_EQ(engine_.objects().size(), 2 * first.size());
}

TEST_P(RemoteTierTest, NothingIsWrittenTwice) {
  writer_->write(chain(1, 40), 40);
  const auto first = engine_.objects();
  reader_->write(chain(1, 40), 40);
  EXPECT_EQ(engine_.objects(), first);
  EXPECT_EQ(reader_->tier.metrics().endpoints[0].written_objects, 0);
}

TEST_P(RemoteTierTest, ObjectsWithWrongBytesAreNeverUsedAndAreRemoved) {
  const Chain chain = this->chain(1, 40);
  writer_->write(chain, 40);
  auto objects = engine_.objects();
  for (auto& [name, bytes] : objects) bytes[4200] ^= std::byte{4};
  engine_.set_objects(objects);
  EXPECT_EQ(reader_->fetch(chain).blocks, 0);
  EXPECT_EQ(reader_->own.right_blocks(chain), 0);
  EXPECT_FALSE(reader_->own.has(chain.block_id(1)));
  EXPECT_GE(reader_->tier.metrics().endpoints[0].wrong_bytes, 1);
}

TEST_P(RemoteTierTest, ObjectsUnderEachOthersNamesAreNeverUsed) {
  const Chain chain = this->chain(1, 40);
  writer_->write(chain, 40);
  auto objects = engine_.objects();
  std::vector<std::byte>* before = nullptr;
  for (auto& [name, bytes] : objects) {
    if (before != nullptr && before->size() == bytes.size()) std::swap(*before, bytes);
    before = &bytes;
  }
  engine_.set_objects(objects);
  reader_->fetch(chain);
  for (int64_t blocks = 1; blocks <= 40; ++blocks) {
    const RecordId id = chain.block_id(blocks);
    if (!reader_->own.has(id)) continue;
    EXPECT_TRUE(reader_->own.is_right(id, chain.sizes.of_block(blocks - 1))) << blocks;
  }
}

TEST_P(RemoteTierTest, WhatIsMissingInTheMiddleMakesThePrefixShorter) {
  const Chain chain = this->chain(1, 40);
  writer_->write(chain, 35);
  writer_->write(chain, 40);
  auto objects = engine_.objects();
  const ObjectNames names(std::as_bytes(std::span(std::string_view("a secret"))),
                          GetParam().encrypts);
  ASSERT_EQ(objects.erase(FakeEngine::name_of(names.of(chain.block_id(37)))), 1u);
  engine_.set_objects(objects);
  EXPECT_EQ(reader_->fetch(chain).blocks, has_states() ? 35 : 36);
}

TEST_P(RemoteTierTest, AnEngineThatIsGoneCostsNothing) {
  writer_->write(chain(1, 40), 40);
  engine_.fault = FakeEngine::Fault::kGone;
  for (uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(reader_->fetch(chain(seed, 40)).blocks, 0);
  const auto metrics = reader_->tier.metrics().endpoints[0];
  EXPECT_TRUE(metrics.is_closed_off);
  EXPECT_LE(metrics.failures, 8) << "then it is left alone";
}

TEST_P(RemoteTierTest, AnEngineThatHangsIsWaitedForThreeTimesAtMost) {
  writer_->write(chain(1, 40), 40);
  engine_.fault = FakeEngine::Fault::kHung;
  const auto begin = Clock::now();
  for (uint64_t seed = 1; seed <= 50; ++seed) reader_->fetch(chain(seed, 40));
  EXPECT_LT(Clock::now() - begin, seconds(1));
  engine_.fault = FakeEngine::Fault::kNone;
  FetchReport report;
  for (int i = 0; i < 100 && report.blocks == 0; ++i) {
    report = reader_->fetch(chain(1, 40));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(report.blocks, 40) << "it is tried again when it works again";
}

TEST_P(RemoteTierTest, AFullEngineIsWrittenToNoMoreForAWhileAndIsReadOn) {
  writer_->write(chain(1, 40), 40);
  engine_.fault = FakeEngine::Fault::kFull;
  writer_->own.put_chain(chain(2, 40), 40);
  writer_->tier.write_now({chain(2, 40).key_at(40), GetParam().sizes});
  EXPECT_TRUE(writer_->tier.flush(Clock::now() + seconds(20)));
  const int64_t calls = engine_.calls;
  writer_->tier.write_now({chain(2, 40).key_at(40), GetParam().sizes});
  EXPECT_TRUE(writer_->tier.flush(Clock::now() + seconds(20)));
  EXPECT_EQ(engine_.calls, calls);
  EXPECT_EQ(writer_->tier.metrics().endpoints[0].full_answers > 0, true);
  EXPECT_EQ(reader_->fetch(chain(1, 40)).blocks, 40);
}

TEST_P(RemoteTierTest, AStoreWithoutRoomTakesABeginningOrNothing) {
  const Chain chain = this->chain(1, 60);
  writer_->write(chain, 60);
  Server small(endpoints(), {.encrypts = GetParam().encrypts}, "a secret", int64_t{1} << 18);
  const FetchReport report = small.fetch(chain);
  EXPECT_LT(report.blocks, 60);
  EXPECT_GE(small.own.right_blocks(chain), report.blocks);
}

// As SeaweedFS that was killed: it lists what it has lost.
TEST_P(RemoteTierTest, WhatAnEngineFailsToReadIsComputedAndWrittenAnew) {
  const Chain chain = this->chain(1, 40);
  writer_->write(chain, 40);
  const auto before = engine_.objects();
  engine_.lose_all();
  EXPECT_EQ(reader_->fetch(chain).blocks, 0);
  EXPECT_GE(reader_->tier.metrics().endpoints[0].unreadable_objects, 1);
  EXPECT_FALSE(reader_->tier.metrics().endpoints[0].is_closed_off);
  // What failed for the first time then is doubtful.
  for (int i = 0; i < 2; ++i) reader_->write(chain, 40);
  EXPECT_EQ(server()->fetch(chain).blocks, 40);
  EXPECT_EQ(engine_.objects().size(), before.size());
}

TEST_P(RemoteTierTest, WhatCanBeReadAfterAllIsNotWrittenAnew) {
  const Chain chain = this->chain(1, 40);
  writer_->write(chain, 40);
  engine_.lose_all();
  EXPECT_EQ(reader_->fetch(chain).blocks, 0);
  engine_.lose({});
  reader_->write(chain, 40);
  EXPECT_EQ(reader_->tier.metrics().endpoints[0].written_objects, 0);
  EXPECT_EQ(server()->fetch(chain).blocks, 40);
}

INSTANTIATE_TEST_SUITE_P(Engines, RemoteTierTest,
                         ::testing::Values(Case{"Fast", kFast, kSizes, false},
                                           Case{"FastSealed", kFast, kSizes, true},
                                           Case{"FastWithoutStates", kFast, kNoStates, false},
                                           Case{"Packed", kPacked, kSizes, false},
                                           Case{"PackedSealed", kPacked, kSizes, true},
                                           Case{"PackedWithoutStates", kPacked, kNoStates, true}),
                         [](const auto& given) { return given.param.name; });

class RemoteTimeTest : public ::testing::Test {
 protected:
  FakeEngine engine_;
};

TEST_F(RemoteTimeTest, GivesUpWhenComputingIsFasterAndKeepsWhatCameInOrder) {
  const Chain chain = make_chain(1, 96, {50000, 50000, 1000});
  Server writer(list(engine_.endpoint(kFast)));
  writer.write(chain, 32);
  writer.write(chain, 64);
  writer.write(chain, 96);
  // 5.2 MB at 2 MB/s over one connection would take 2.6 s; computing takes 1.2 s.
  engine_.bytes_per_s = 2'000'000;
  Server reader(list(engine_.endpoint(kFast, 1)));
  const auto begin = Clock::now();
  const FetchReport report = reader.fetch(chain, 0, 10000);
  EXPECT_LT(Clock::now() - begin, milliseconds(900));
  EXPECT_TRUE(report.gave_up);
  EXPECT_TRUE(report.blocks == 0 || report.blocks == 32) << report.blocks;
  EXPECT_EQ(reader.tier.metrics().given_up, 1);
}

TEST_F(RemoteTimeTest, TheSecondEngineHasWhatTheFirstHasForgotten) {
  const Chain chain = make_chain(1, 64, kSizes);
  FakeEngine disk;
  Server writer(list(engine_.endpoint(kFast), disk.endpoint(kPacked)));
  writer.write(chain, 32);
  writer.write(chain, 64);
  auto objects = engine_.objects();
  const ObjectNames names({});
  objects.erase(FakeEngine::name_of(names.of(chain.block_id(40))));
  engine_.set_objects(objects);
  Server reader(list(engine_.endpoint(kFast), disk.endpoint(kPacked)));
  EXPECT_EQ(reader.fetch(chain).blocks, 64);
  EXPECT_EQ(reader.own.right_blocks(chain), 64);
}

// It answers a probe, then it hangs: at once, in the middle of the blocks, before the state.
TEST_F(RemoteTimeTest, WhatAnEngineThatHangsOwesComesFromTheSecond) {
  const Chain chain = make_chain(1, 96, kSizes);
  for (const EngineTraits& second : {kFast, kPacked}) {
    for (const int64_t reads : {0, 20, 96}) {
      FakeEngine disk;
      Server writer(list(engine_.endpoint(kFast), disk.endpoint(second)));
      writer.write(chain, 96);
      engine_.reads_before_it_hangs = reads;
      Server reader(list(engine_.endpoint(kFast), disk.endpoint(second)));
      // Computing would take 12 s, so there are 6.
      const FetchReport report = reader.fetch(chain, 0, 1000);
      EXPECT_EQ(report.blocks, 96) << reads;
      EXPECT_FALSE(report.gave_up);
      EXPECT_EQ(reader.own.right_blocks(chain), 96);
      engine_.reads_before_it_hangs = -1;
    }
  }
}

TEST_F(RemoteTimeTest, AShortTextComesFromTheSecondEngineWhereTheFirstDoesNotGiveIt) {
  const Chain chain = make_chain(1, 4, kSizes);
  FakeEngine second;
  Server writer(list(engine_.endpoint(kFast), second.endpoint(kFast)));
  writer.write(chain, 4);
  engine_.lose_all();
  for (const auto fault : {FakeEngine::Fault::kGone, FakeEngine::Fault::kNone}) {
    engine_.fault = fault;
    Server reader(list(engine_.endpoint(kFast), second.endpoint(kFast)));
    EXPECT_EQ(reader.fetch(chain).blocks, 4);
    EXPECT_EQ(reader.own.right_blocks(chain), 4);
  }
}

// The time for what the first has is not that for what the second has.
TEST_F(RemoteTimeTest, AShortBeginningAtTheFirstLeavesTheSecondItsTime) {
  const Chain chain = make_chain(1, 96, kSizes);
  FakeEngine second;
  Server(list(engine_.endpoint(kFast))).write(chain, 1);
  Server(list(second.endpoint(kFast))).write(chain, 96);
  second.probe_ms = 200;
  Server reader(list(engine_.endpoint(kFast), second.endpoint(kFast)));
  EXPECT_EQ(reader.fetch(chain, 0, 1000).blocks, 96);
}

TEST_F(RemoteTimeTest, AShortTextThatTheFirstDoesNotHaveIsNeverAskedOfTheSecond) {
  const Chain chain = make_chain(1, 4, kSizes);
  FakeEngine second;
  Server(list(second.endpoint(kFast))).write(chain, 4);
  const int64_t calls = second.calls;
  Server reader(list(engine_.endpoint(kFast), second.endpoint(kFast)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reader.fetch(chain).blocks, 0);
    EXPECT_EQ(second.calls, calls);
  }
}

TEST_F(RemoteTimeTest, ThoseWhoWantTheSameWaitForOneFetch) {
  const Chain chain = make_chain(1, 40, kSizes);
  Server writer(list(engine_.endpoint(kFast)));
  writer.write(chain, 40);
  engine_.bytes_per_s = 2'000'000;
  Server reader(list(engine_.endpoint(kFast)));
  const auto shared = std::make_shared<Chain>(chain);
  const auto first = reader.tier.fetch({shared, 0, 10});
  EXPECT_EQ(reader.tier.fetch({shared, 0, 10}), first);
  EXPECT_TRUE(first->wait_until(Clock::now() + seconds(20)));
  EXPECT_EQ(reader.tier.metrics().lookups, 1);
}

TEST_F(RemoteTimeTest, ShortTextsAreWrittenOnceTheyAreSeenAgain) {
  const Chain chain = make_chain(1, 4, kSizes);
  Server writer(list(engine_.endpoint(kFast)));
  writer.own.put_chain(chain, 4);
  writer.tier.offer({chain.key_at(4), kSizes});
  EXPECT_TRUE(writer.tier.flush(Clock::now() + seconds(20)));
  EXPECT_TRUE(engine_.objects().empty());
  writer.tier.offer({chain.key_at(4), kSizes});
  EXPECT_TRUE(writer.tier.flush(Clock::now() + seconds(20)));
  EXPECT_EQ(engine_.count(ObjectKind::kBlock), 4);
  EXPECT_EQ(engine_.count(ObjectKind::kState), 1);
}

TEST_F(RemoteTimeTest, TheEndOfATierWaitsForNobody) {
  engine_.fault = FakeEngine::Fault::kHung;
  std::optional<Server> reader(list(engine_.endpoint(kFast)));
  std::vector<std::shared_ptr<Fetch>> fetches;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto chain = std::make_shared<Chain>(make_chain(seed, 40, kSizes));
    fetches.push_back(reader->tier.fetch({chain, 0, 1}));
  }
  const auto begin = Clock::now();
  reader.reset();
  EXPECT_LT(Clock::now() - begin, seconds(1));
  for (const auto& fetch : fetches) EXPECT_TRUE(fetch->is_done());
}

}  // namespace
}  // namespace kvasir::store::remote
