#include "store/remote/write_back.h"

#include <gtest/gtest.h>

#include "store/remote/remote_test_support.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PayloadSizes kSizes{.first_block_bytes = 9000, .block_bytes = 5000, .state_bytes = 7000};
// Of these a call writes 20 blocks.
constexpr PayloadSizes kLarge{
    .first_block_bytes = 200'000, .block_bytes = 200'000, .state_bytes = 7000};

// A writer to one engine, whose calls can be made to wait.
class WriteBackTest : public ::testing::Test {
 protected:
  ~WriteBackTest() override { let_writes_go(); }

  // Offers the chain, and returns when its first call is under way and waits.
  void begin(const Chain& chain) {
    engine_.holds_writes = true;
    own_.put_chain(chain, chain.block_count());
    writer_.offer(end_of(chain));
    while (engine_.held_writes == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  void let_writes_go() {
    engine_.holds_writes = false;
    engine_.holds_writes.notify_all();
  }
  void end() {
    let_writes_go();
    EXPECT_TRUE(writer_.flush(Clock::now() + seconds(20)));
  }
  static ChainEnd end_of(const Chain& chain) {
    return {chain.key_at(chain.block_count()), chain.sizes};
  }
  // When that record was written: behind how many others.
  std::ptrdiff_t place_of(const RecordId& id) {
    const auto written = engine_.written();
    return std::ranges::find(written, FakeEngine::name_of(names_.of(id))) - written.begin();
  }
  std::ptrdiff_t end_place_of(const Chain& chain) {
    return place_of(chain.state_id(chain.block_count()));
  }
  RemoteMetrics metrics() const {
    RemoteMetrics metrics;
    writer_.add_to(metrics);
    return metrics;
  }

  FakeEngine engine_;
  OwnStore own_;
  const std::unique_ptr<Endpoint> endpoint_ =
      engine_.endpoint({.probes_max = 8192, .has_ttl = true});
  const ObjectNames names_ = ObjectNames({});
  const Envelope envelope_ = Envelope();
  NegativeCache negatives_;
  WriteBack writer_{*own_.blocks, *endpoint_, names_, envelope_, negatives_, 1024};
};

TEST_F(WriteBackTest, WhatIsWantedGoesBeforeWhatIsOffered) {
  const Chain first = make_chain(1, 16, kSizes), second = make_chain(2, 16, kSizes);
  const Chain wanted = make_chain(3, 2, kSizes), wanted_next = make_chain(4, 2, kSizes);
  for (const Chain& chain : {second, wanted, wanted_next}) {
    own_.put_chain(chain, chain.block_count());
  }
  begin(first);
  writer_.offer(end_of(second));
  const uint64_t number = writer_.write_now(end_of(wanted));
  writer_.write_now(end_of(wanted_next));
  EXPECT_FALSE(writer_.is_done(number));
  EXPECT_FALSE(writer_.flush(Clock::now()));
  end();
  EXPECT_TRUE(writer_.is_done(number));
  EXPECT_LT(end_place_of(wanted), end_place_of(wanted_next));
  EXPECT_LT(end_place_of(wanted_next), place_of(second.block_id(1)));
  EXPECT_EQ(metrics().written_chains, 4);
}

TEST_F(WriteBackTest, WhatIsWantedGoesBetweenTheCallsOfALongChainWhoseRestComesAfterIt) {
  const Chain chain = make_chain(1, 50, kLarge), wanted = make_chain(2, 2, kSizes);
  own_.put_chain(wanted, 2);
  begin(chain);
  writer_.write_now(end_of(wanted));
  end();
  EXPECT_LT(place_of(chain.block_id(1)), place_of(wanted.block_id(1)));
  EXPECT_LT(end_place_of(wanted), place_of(chain.block_id(40)));
  EXPECT_EQ(engine_.count(ObjectKind::kBlock), 52) << "with less than 1,024 new tokens left, too";
  EXPECT_EQ(end_place_of(chain), std::ssize(engine_.written()) - 1);
  EXPECT_EQ(metrics().written_chains, 2);
}

TEST_F(WriteBackTest, TheChainUnderWayCanBeWantedItself) {
  const Chain chain = make_chain(1, 50, kLarge);
  begin(chain);
  const uint64_t number = writer_.write_now(end_of(chain));
  end();
  EXPECT_TRUE(writer_.is_done(number));
  EXPECT_EQ(engine_.count(ObjectKind::kBlock), 50);
  EXPECT_EQ(endpoint_->metrics().written_objects, 52) << "each once";
}

TEST_F(WriteBackTest, OffersThatAreDroppedLeaveRoomForWhatIsWanted) {
  const Chain wanted = make_chain(2, 2, kSizes);
  own_.put_chain(wanted, 2);
  begin(make_chain(1, 16, kSizes));
  for (size_t i = 0; i < WriteBack::kQueuedMax + 10; ++i) {
    writer_.offer({Sha256().add_value(i).finish(), kSizes});
  }
  EXPECT_EQ(metrics().dropped_chains, 10);
  EXPECT_NE(writer_.write_now(end_of(wanted)), 0u);
  EXPECT_EQ(metrics().queued_chains, static_cast<int64_t>(WriteBack::kQueuedMax) + 1);
  end();
  EXPECT_EQ(engine_.count(ObjectKind::kBlock), 18);
}

TEST_F(WriteBackTest, SoManyMayBeWantedAtATime) {
  begin(make_chain(1, 16, kSizes));
  for (size_t i = 0; i < WriteBack::kQueuedMax; ++i) {
    EXPECT_NE(writer_.write_now({Sha256().add_value(i).finish(), kSizes}), 0u);
  }
  const uint64_t number = writer_.write_now({Sha256().add_value(-1).finish(), kSizes});
  EXPECT_TRUE(writer_.is_done(number)) << "nobody waits for what was dropped";
  EXPECT_EQ(metrics().dropped_chains, 1);
  end();
}

}  // namespace
}  // namespace kvasir::store::remote
