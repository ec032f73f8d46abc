#include "persist/recorder.h"

#include <gtest/gtest.h>

#include "persist_driver.h"
#include "temp_directory.h"

namespace kvasir::persist {
namespace {

using testing::CacheInStore;
using testing::some_tokens;
using testing::TempDirectory;

class RecorderTest : public ::testing::Test {
 protected:
  bool has(store::Kind kind, std::span<const int32_t> tokens, int64_t blocks) {
    const auto keys = testing::keys_of(*cache_.layout, tokens);
    cache_.persistence->drain();
    return cache_.store().find({kind, keys[static_cast<size_t>(blocks - 1)]}).has_value();
  }

  TempDirectory directory_;
  CacheInStore cache_{directory_.path(), testing::small_cache_spec()};
};

TEST_F(RecorderTest, PassesEndAtTheLastBoundaryShortOfTheEnd) {
  const Resumed live = cache_.resume({});
  EXPECT_EQ(live.recorder.pass_end(0, 1), 1);
  EXPECT_EQ(live.recorder.pass_end(0, 128), 128);
  EXPECT_EQ(live.recorder.pass_end(0, 129), 128);
  EXPECT_EQ(live.recorder.pass_end(128, 256), 256);
  EXPECT_EQ(live.recorder.pass_end(100, 1000), 896);
  EXPECT_EQ(live.recorder.pass_end(896, 1000), 1000);
  EXPECT_EQ(live.recorder.pass_end(0, 100'000), kStateIntervalTokens);
}

TEST_F(RecorderTest, BlocksAreSavedAsTheySealAndStatesWhereTheyAreKept) {
  const std::vector<int32_t> tokens = some_tokens(600, 1);
  Resumed live = cache_.resume({});
  cache_.append(live, std::span(tokens).first(127));
  EXPECT_FALSE(has(store::Kind::kBlock, tokens, 1));
  cache_.append(live, std::span(tokens).subspan(127, 129));
  EXPECT_TRUE(has(store::Kind::kBlock, tokens, 1));
  EXPECT_TRUE(has(store::Kind::kBlock, tokens, 2));
  EXPECT_FALSE(has(store::Kind::kState, tokens, 2));
  // It ends at a boundary: the one before is of use to whoever asks for the same tokens.
  cache_.append(live, std::span(tokens).subspan(256, 128));
  live.recorder.mark_resumable();
  EXPECT_TRUE(has(store::Kind::kState, tokens, 2));
  EXPECT_TRUE(has(store::Kind::kState, tokens, 3));
}

TEST_F(RecorderTest, AForkRecordsItsOwnTokens) {
  const std::vector<int32_t> tokens = some_tokens(300, 2);
  std::vector<int32_t> others = tokens;
  others[200] = 7;
  Resumed live = cache_.resume({});
  cache_.append_all(live, std::span(tokens).first(150));
  Resumed fork{live.sequence.fork().value(), live.recorder};
  cache_.append_all(live, std::span(tokens).subspan(150));
  cache_.append_all(fork, std::span(others).subspan(150));
  EXPECT_TRUE(has(store::Kind::kBlock, tokens, 2));
  EXPECT_TRUE(has(store::Kind::kBlock, others, 2));
  EXPECT_TRUE(cache_.is_right(fork));
}

// Memory for what is taken after a pass is there before it: a pass that went well cannot fail then.
TEST_F(RecorderTest, TheMemoryOfAStateIsTakenBeforeThePass) {
  const std::vector<int32_t> tokens = some_tokens(300, 3);
  Resumed live = cache_.resume({});
  cache_.append(live, std::span(tokens).first(100));
  EXPECT_EQ(live.recorder.state_memory(live.sequence, 27)->size(), 0);
  const int64_t before_bytes = cache_.account->allocated_bytes();
  const auto memory = live.recorder.state_memory(live.sequence, 28);
  EXPECT_EQ(memory->size(), cache_.layout->boundary_state_bytes());
  EXPECT_EQ(cache_.account->allocated_bytes() - before_bytes, memory->size());
}

TEST_F(RecorderTest, AStateWithoutItsMemoryIsABug) {
  const std::vector<int32_t> tokens = some_tokens(128, 4);
  Resumed live = cache_.resume({});
  ASSERT_TRUE(live.sequence.begin_append(tokens).ok());
  live.sequence.finish_append();
  EXPECT_DEATH(live.recorder.after_pass(live.sequence, {}), "room for a boundary state");
}

}  // namespace
}  // namespace kvasir::persist
