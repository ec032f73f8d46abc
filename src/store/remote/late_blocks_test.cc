// Hot parts first: a fetch is done when the first bytes of its blocks are there; the rest comes in
// the background, and what is wanted of it before is read from the engine.
#include "store/remote/late_blocks.h"

#include <gtest/gtest.h>

#include "store/remote/remote_test_support.h"
#include "store/remote/remote_tier.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PayloadSizes kSizes{
    .first_block_bytes = 50'000, .block_bytes = 50'000, .state_bytes = 7000};
constexpr int64_t kHeadBytes = 9000;
constexpr EngineTraits kFast{.probes_max = 8192, .has_ttl = true};

// Keeps what it gets, while there is room.
class Heads : public HeadTaker {
 public:
  bool take(std::span<const std::byte> head, PieceSource rest,
            std::shared_ptr<LateBlocks> late) override {
    const std::lock_guard lock(mutex_);
    if (std::ssize(heads) == room) return false;
    heads.push_back({{head.begin(), head.end()}, std::move(rest), std::move(late)});
    return true;
  }
  void end() override { has_ended = true; }

  struct Head {
    std::vector<std::byte> bytes;
    PieceSource rest;
    std::shared_ptr<LateBlocks> late;
  };
  int64_t room = 1000;
  std::vector<Head> heads;
  bool has_ended = false;

 private:
  std::mutex mutex_;
};

class LateBlocksTest : public ::testing::Test {
 protected:
  LateBlocksTest() {
    OwnStore writer;
    writer.put_chain(chain_, kBlocks);
    RemoteTier tier(*writer.blocks, endpoints(), {}, {});
    tier.write_now({chain_.key_at(kBlocks), chain_.sizes});
    EXPECT_TRUE(tier.flush(Clock::now() + seconds(20)));
    tier_ = std::make_unique<RemoteTier>(*own_.blocks, endpoints(), std::vector<std::byte>{},
                                         RemoteOptions{});
  }

  std::vector<std::unique_ptr<Endpoint>> endpoints() {
    std::vector<std::unique_ptr<Endpoint>> all;
    all.push_back(engine_.endpoint(kFast));
    return all;
  }

  // In time to be of use: computing takes minutes.
  std::shared_ptr<Fetch> fetch(double tokens_per_s = 10) {
    auto fetch = tier_->fetch({.chain = std::make_shared<Chain>(chain_),
                               .tokens_per_s = tokens_per_s,
                               .heads = heads_,
                               .head_bytes = kHeadBytes});
    EXPECT_TRUE(fetch->wait_until(Clock::now() + seconds(20)));
    return fetch;
  }

  // Who waits for nothing for 0.3 s gives up: then the machine stood still, and it is begun again.
  void fetch_heads() {
    for (int i = 0; i < 10 && heads_->heads.empty(); ++i) fetch();
    ASSERT_FALSE(heads_->heads.empty());
  }

  std::vector<std::byte> expected(int64_t block) const {
    return payload_of(chain_.block_id(block + 1), kSizes.block_bytes);
  }

  // Reads the last, short piece of each block, and one more.
  std::vector<bool> read_pieces_of(std::vector<Heads::Head>& heads) {
    std::vector<PageBuffer> memory;
    std::vector<PieceRead> reads;
    for (Heads::Head& head : heads) {
      for (const int64_t piece : {int64_t{5}, head.rest.piece_count() - 1}) {
        const int64_t bytes = head.rest.stored_bytes(piece);
        memory.emplace_back(bytes);
        reads.push_back(
            {&head.rest, piece, {memory.back().data(), static_cast<size_t>(bytes)}, false});
      }
    }
    std::vector<PieceRead*> asked;
    for (PieceRead& read : reads) asked.push_back(&read);
    heads[0].late->read_pieces(asked);
    std::vector<bool> right;
    for (const PieceRead& read : reads) {
      right.push_back(read.is_right && read.source->is_right(read.piece, read.out));
      EXPECT_EQ(read.is_right, right.back());
    }
    return right;
  }

  bool wait_for_blocks(int64_t count) const {
    for (int i = 0; i < 400; ++i) {
      if (own_.right_blocks(chain_) >= count) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  static constexpr int64_t kBlocks = 40;
  FakeEngine engine_;
  Chain chain_ = make_chain(1, kBlocks, kSizes);
  OwnStore own_;
  std::shared_ptr<Heads> heads_ = std::make_shared<Heads>();
  std::unique_ptr<RemoteTier> tier_;
};

TEST_F(LateBlocksTest, HotPartsAndTheStateComeFirstThenTheBlocks) {
  const auto fetch = this->fetch();
  EXPECT_EQ(fetch->report().blocks, kBlocks);
  EXPECT_TRUE(heads_->has_ended);
  ASSERT_EQ(std::ssize(heads_->heads), kBlocks);
  for (int64_t block = 0; block < kBlocks; ++block) {
    std::vector<std::byte> wanted = expected(block);
    wanted.resize(kHeadBytes);
    EXPECT_EQ(heads_->heads[static_cast<size_t>(block)].bytes, wanted) << block;
  }
  EXPECT_TRUE(own_.is_right(chain_.state_id(kBlocks), kSizes.state_bytes));
  EXPECT_TRUE(wait_for_blocks(kBlocks));
  EXPECT_EQ(tier_->metrics().head_blocks, kBlocks);
}

TEST_F(LateBlocksTest, TheyAreThereLongBeforeTheBlocksAre) {
  engine_.bytes_per_s = 1'000'000;  // a connection: the blocks take half a second
  const auto fetch = this->fetch();
  EXPECT_EQ(fetch->report().blocks, kBlocks);
  EXPECT_LT(own_.right_blocks(chain_), kBlocks);
  for (const bool is_right : read_pieces_of(heads_->heads)) EXPECT_TRUE(is_right);
  EXPECT_GE(tier_->metrics().late_pieces, 2 * kBlocks);
  engine_.bytes_per_s = 0;
  EXPECT_TRUE(wait_for_blocks(kBlocks));
}

TEST_F(LateBlocksTest, WhatTheOwnStoreHasIsNotBroughtAgain) {
  for (int64_t block = 3; block < 30; ++block) own_.put_block(chain_, block);
  EXPECT_EQ(fetch()->report().blocks, kBlocks);
  EXPECT_EQ(std::ssize(heads_->heads), 2 + 11);
  EXPECT_TRUE(wait_for_blocks(kBlocks));
}

TEST_F(LateBlocksTest, AnEngineThatGoesAwayGivesTheBlocksUp) {
  engine_.bytes_per_s = 1'000'000;
  ASSERT_NO_FATAL_FAILURE(fetch_heads());
  engine_.fault = FakeEngine::Fault::kGone;
  std::vector<Heads::Head> newest(heads_->heads.end() - 1, heads_->heads.end());
  EXPECT_EQ(read_pieces_of(newest), (std::vector{false, false}));
  EXPECT_TRUE(newest[0].late->is_given_up());
  engine_.fault = FakeEngine::Fault::kNone;
  EXPECT_EQ(read_pieces_of(newest), (std::vector{false, false})) << "what was given up stays so";
}

TEST_F(LateBlocksTest, AllWaitsTogetherEnd) {
  engine_.bytes_per_s = 1'000'000;
  // Half a second in all, half of it for the hot parts.
  const auto begin = Clock::now();
  fetch(kBlocks * 128.0);
  engine_.bytes_per_s = 40'000;
  int waits = 0;
  while (!heads_->heads.empty() && !heads_->heads[0].late->is_given_up() && waits < 100) {
    std::vector<Heads::Head> one(heads_->heads.end() - 1, heads_->heads.end());
    read_pieces_of(one);
    ++waits;
  }
  EXPECT_LT(waits, 100);
  EXPECT_LT(Clock::now() - begin, seconds(5));
}

TEST_F(LateBlocksTest, WrongPiecesAreNeverUsed) {
  engine_.bytes_per_s = 1'000'000;
  ASSERT_NO_FATAL_FAILURE(fetch_heads());
  auto objects = engine_.objects();
  for (auto& [name, bytes] : objects) {
    if (name.first == ObjectKind::kBlock) bytes[4096 + 5 * 4096 + 7] ^= std::byte{1};
  }
  engine_.set_objects(objects);
  std::vector<Heads::Head> newest(heads_->heads.end() - 1, heads_->heads.end());
  EXPECT_EQ(read_pieces_of(newest), (std::vector{false, false}));
  EXPECT_TRUE(newest[0].late->is_given_up());
  EXPECT_GE(tier_->metrics().endpoints[0].wrong_bytes, 1);
}

TEST_F(LateBlocksTest, WrongHeadsAreNeverUsed) {
  auto objects = engine_.objects();
  for (auto& [name, bytes] : objects) bytes[4096 + 8000] ^= std::byte{1};
  engine_.set_objects(objects);
  EXPECT_EQ(fetch()->report().blocks, 0);
  EXPECT_TRUE(heads_->heads.empty());
}

TEST_F(LateBlocksTest, WhereThereIsNoRoomForAllTheTextGoesOnFromFewer) {
  heads_->room = 35;
  EXPECT_EQ(fetch()->report().blocks, 32) << "the deepest state before that";
}

// Whoever gives the heads is asked for the rows behind them, so it must be one that answers.
TEST_F(LateBlocksTest, HeadsComeFromTheEngineThatHasTheRest) {
  constexpr PayloadSizes kNoStates{50'000, 50'000, 0};
  chain_ = make_chain(2, kBlocks, kNoStates);
  FakeEngine second;
  const auto both = [&] {
    auto all = endpoints();
    all.push_back(second.endpoint(kFast));
    return all;
  };
  OwnStore store;
  for (int64_t i = 1; i <= kBlocks; ++i) store.put_block(chain_, i);
  RemoteTier writer(*store.blocks, both(), {}, {});
  writer.write_now({chain_.key_at(kBlocks), kNoStates});
  EXPECT_TRUE(writer.flush(Clock::now() + seconds(20)));
  auto engines = both();
  remember(engines[0]->hedges(), HedgeRule::Kind::kRead, milliseconds(1));
  tier_ = std::make_unique<RemoteTier>(*own_.blocks, std::move(engines), std::vector<std::byte>{},
                                       RemoteOptions{});
  const int64_t calls = second.calls;
  engine_.read_ms = 20;
  fetch();
  EXPECT_FALSE(heads_->heads.empty());
  EXPECT_EQ(second.calls, calls);
  EXPECT_EQ(tier_->metrics().endpoints[0].hedged_requests, 0);
  tier_.reset();
}

TEST_F(LateBlocksTest, ItEndsWhileBlocksStillCome) {
  engine_.bytes_per_s = 100'000;
  const auto wish = FetchWish{.chain = std::make_shared<Chain>(chain_),
                              .tokens_per_s = 1,
                              .heads = heads_,
                              .head_bytes = kHeadBytes};
  const auto fetch = tier_->fetch(wish);
  EXPECT_TRUE(fetch->wait_until(Clock::now() + seconds(20)));
  const auto begin = Clock::now();
  tier_.reset();
  EXPECT_LT(Clock::now() - begin, seconds(5));
}

}  // namespace
}  // namespace kvasir::store::remote
