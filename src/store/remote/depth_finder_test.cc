#include "store/remote/depth_finder.h"

#include <gtest/gtest.h>

#include <set>

#include "store/remote/remote_test_support.h"

namespace kvasir::store::remote {
namespace {

constexpr PayloadSizes kSizes{.first_block_bytes = 900, .block_bytes = 900, .state_bytes = 700};
constexpr PayloadSizes kNoStates{.first_block_bytes = 900, .block_bytes = 900};

// An engine that has some records and packs of one chain, and counts what it is asked.
class DepthFinderTest : public ::testing::Test {
 protected:
  void use(int64_t blocks, const PayloadSizes& sizes) { chain_ = make_chain(1, blocks, sizes); }

  void add_blocks(int64_t from, int64_t to) {
    for (int64_t i = from; i <= to; ++i) there_.insert(FakeEngine::name_of(form().block(i).object));
  }
  void add_states(std::initializer_list<int64_t> at) {
    for (const int64_t i : at) there_.insert(FakeEngine::name_of(form().state(i).object));
  }
  void add_packs(int64_t count) {
    for (int64_t i = 1; i <= count; ++i) {
      there_.insert(
          FakeEngine::name_of(form().pack(i * kPackBlocks, (i - 1) * kPackBlocks).object));
    }
  }
  ChainForm form() const { return {chain_, names_, envelope_}; }

  Depths find(int64_t have, int64_t width = 0) {
    const ChainForm form = this->form();
    DepthQuestion question{&chain_, &form, have, {}, {}};
    question.block_here.resize(static_cast<size_t>(chain_.block_count()));
    question.state_here.resize(static_cast<size_t>(chain_.block_count()));
    for (int64_t i = 0; i < have; ++i) question.block_here[static_cast<size_t>(i)] = true;
    for (const int64_t i : blocks_here_) question.block_here[static_cast<size_t>(i - 1)] = true;
    const ProbeNow probe = [this](const std::vector<ObjectName>& names) {
      ++rounds_;
      std::vector<bool> answers;
      for (const ObjectName& name : names) {
        answers.push_back(there_.contains(FakeEngine::name_of(name)));
      }
      return std::optional(answers);
    };
    return width == 0 ? *find_depths(question, probe)
                      : *find_depths_in_packs(question, width, probe);
  }

  Chain chain_;
  ObjectNames names_{{}};
  Envelope envelope_;
  std::set<FakeEngine::Name> there_;
  std::vector<int64_t> blocks_here_;
  int rounds_ = 0;
};

TEST_F(DepthFinderTest, GoesToTheDeepestStateWhoseBlocksAreAllThere) {
  use(100, kSizes);
  add_blocks(1, 80);
  add_states({32, 60, 90});
  const Depths depths = find(0);
  EXPECT_EQ(depths.blocks, 60);
  EXPECT_EQ(depths.shallower, (std::vector<int64_t>{32}));
  EXPECT_EQ(rounds_, 1);
}

TEST_F(DepthFinderTest, WithoutStatesEveryBlockIsAPlaceToGoOnFrom) {
  use(100, kNoStates);
  add_blocks(1, 80);
  add_blocks(82, 100);
  EXPECT_EQ(find(0).blocks, 80);
}

TEST_F(DepthFinderTest, BlocksOfTheOwnStoreFillTheEnginesGaps) {
  use(100, kSizes);
  add_blocks(11, 40);
  add_blocks(42, 100);
  add_states({100});
  EXPECT_EQ(find(10).blocks, 10);
  blocks_here_ = {41};
  EXPECT_EQ(find(10).blocks, 100);
}

TEST_F(DepthFinderTest, NothingFurtherIsWhatOneHas) {
  use(50, kSizes);
  add_blocks(1, 50);
  EXPECT_EQ(find(20).blocks, 20);
  EXPECT_TRUE(find(20).shallower.empty());
}

TEST_F(DepthFinderTest, EveryDepthOfPacksIsFoundInFewRounds) {
  use(1600, kSizes);
  for (int64_t packs = 0; packs <= 50; ++packs) {
    there_.clear();
    rounds_ = 0;
    add_packs(packs);
    for (int64_t i = 1; i <= packs; ++i) add_states({i * kPackBlocks});
    EXPECT_EQ(find(0, 8).blocks, packs * kPackBlocks) << packs;
    EXPECT_LE(rounds_, 3) << packs;
  }
}

TEST_F(DepthFinderTest, BehindTheLastPackBlocksAreFoundAlone) {
  use(200, kSizes);
  add_packs(4);
  add_states({32, 64, 96, 128, 150});
  add_blocks(129, 150);
  const Depths depths = find(0, 8);
  EXPECT_EQ(depths.blocks, 150);
  EXPECT_EQ(depths.shallower, (std::vector<int64_t>{128, 96, 64, 32}));
  EXPECT_EQ(find(140, 8).blocks, 150);
}

TEST_F(DepthFinderTest, PacksAloneAreEnoughWithoutStates) {
  use(100, kNoStates);
  add_packs(3);
  add_blocks(97, 99);
  EXPECT_EQ(find(0, 8).blocks, 99);
}

}  // namespace
}  // namespace kvasir::store::remote
