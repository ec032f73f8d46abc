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
  // Somebody wrote it, and its first block could not be read once.
  void make_doubtful(const Chain& chain) {
    own_.put_chain(chain, chain.block_count());
    const auto endpoint = engine_.endpoint({.probes_max = 8192});
    WriteBack other(*own_.blocks, *endpoint, names_, envelope_, negatives_, 1024);
    other.write_now(end_of(chain));
    EXPECT_TRUE(other.flush(Clock::now() + seconds(20)));
    engine_.lose_all();
    read_now(*endpoint_, names_.of(chain.block_id(1)), 1, false);
    engine_.lose({});
    EXPECT_TRUE(endpoint_->is_doubtful(names_.of(chain.block_id(1))));
  }
  void write_now(const Chain& chain) {
    writer_.write_now(end_of(chain));
    EXPECT_TRUE(writer_.flush(Clock::now() + seconds(20)));
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

TEST_F(WriteBackTest, WhatCanBeReadIsNotWrittenOver) {
  const Chain chain = make_chain(1, 16, kSizes);
  make_doubtful(chain);
  write_now(chain);
  EXPECT_EQ(endpoint_->metrics().written_objects, 0);
  EXPECT_FALSE(endpoint_->is_doubtful(names_.of(chain.block_id(1))));
}

TEST_F(WriteBackTest, WhatFailsInTheSameMomentIsNotWrittenOver) {
  const Chain chain = make_chain(1, 16, kSizes);
  make_doubtful(chain);
  engine_.lose_all();
  for (int i = 0; i < 3; ++i) write_now(chain);
  EXPECT_EQ(endpoint_->metrics().written_objects, 0);
}

TEST_F(WriteBackTest, WhatIsLostIsLookedAtOnceMoreBeforeItIsWrittenOver) {
  const Chain chain = make_chain(1, 16, kSizes);
  const auto endpoint = engine_.endpoint({.probes_max = 8192, .doubt = milliseconds(0)});
  own_.put_chain(chain, 16);
  WriteBack writer(*own_.blocks, *endpoint, names_, envelope_, negatives_, 1024);
  const auto write = [&] {
    writer.write_now(end_of(chain));
    EXPECT_TRUE(writer.flush(Clock::now() + seconds(20)));
  };
  write();
  engine_.lose_all();
  const ObjectName name = names_.of(chain.block_id(1));
  for (int i = 0; i < 2; ++i) read_now(*endpoint, name, 1, false);
  EXPECT_TRUE(endpoint->is_lost(name));
  engine_.lose({});
  const auto before = engine_.written();
  write();
  EXPECT_EQ(engine_.written(), before);
  EXPECT_FALSE(endpoint->is_lost(name));
}

TEST_F(WriteBackTest, WhatIsNotThereAfterAllIsWritten) {
  const Chain chain = make_chain(1, 16, kSizes);
  make_doubtful(chain);
  engine_.lose_all(ReadOutcome::kMissing);
  write_now(chain);
  EXPECT_EQ(endpoint_->metrics().written_objects, 17);
}

TEST_F(WriteBackTest, WhatCouldNotBeLookedAtIsNotTakenForKnown) {
  const Chain chain = make_chain(1, 16, kSizes);
  make_doubtful(chain);
  engine_.reads_before_one_fails = 2;  // the first block's beginning, and all of it
  write_now(chain);
  EXPECT_EQ(endpoint_->metrics().written_objects, 0);
  engine_.set_objects({});
  write_now(chain);
  EXPECT_TRUE(engine_.objects().contains(FakeEngine::name_of(names_.of(chain.block_id(2)))));
  EXPECT_EQ(engine_.objects().size(), 1u) << "all else is known";
}

TEST_F(WriteBackTest, WhatIsWantedDoesNotWaitForAllToBeLookedAt) {
  const Chain chain = make_chain(1, 16, kSizes), wanted = make_chain(2, 2, kSizes);
  make_doubtful(chain);
  own_.put_chain(wanted, 2);
  engine_.holds_reads = engine_.holds_writes = true;
  engine_.held_writes = 0;
  const int64_t before = engine_.calls;
  writer_.offer(end_of(chain));
  while (engine_.calls < before + 2) std::this_thread::sleep_for(milliseconds(1));
  writer_.write_now(end_of(wanted));
  engine_.holds_reads = false;
  engine_.holds_reads.notify_all();
  while (engine_.held_writes == 0 && !writer_.flush(Clock::now())) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_LE(endpoint_->metrics().read_objects, 2);
  end();
  EXPECT_EQ(end_place_of(wanted), std::ssize(engine_.written()) - 1);
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
