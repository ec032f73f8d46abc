#include "persist/persistence.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "kv/test_support.h"
#include "persist_driver.h"
#include "temp_directory.h"

namespace kvasir::persist {
namespace {

using testing::CacheInStore;
using testing::small_cache_spec;
using testing::some_tokens;
using testing::TempDirectory;

kv::CacheLayout small_layout() { return kv::make_layout(small_cache_spec()); }

// As little as one sequence of so many tokens can be run with.
int64_t tight_budget(int64_t token_count) {
  return ram_bytes_min(small_layout(), {.tokens_max = 256, .picked_rows_max = 4}, token_count);
}

class PersistenceTest : public ::testing::Test {
 protected:
  CacheInStore open(int64_t budget_bytes = 0) {
    return CacheInStore(directory_.path(), small_cache_spec(), budget_bytes);
  }
  // What a process leaves behind that read those tokens.
  void save(const std::vector<int32_t>& tokens) {
    CacheInStore cache = open();
    Resumed live = cache.resume({});
    cache.append_all(live, tokens);
    live.recorder.mark_resumable();
    cache.persistence->drain();
    ASSERT_FALSE(cache.persistence->take_error());
  }

  TempDirectory directory_;
};

TEST_F(PersistenceTest, WhatWasSavedComesBackRowForRow) {
  const std::vector<int32_t> tokens = some_tokens(1000, 1);
  save(tokens);
  for (const int64_t budget : {int64_t{0}, tight_budget(1000)}) {
    CacheInStore cache = open(budget);
    Resumed live = cache.resume(tokens);
    EXPECT_EQ(live.sequence.length(), 896);
    EXPECT_EQ(live.sequence.hot_part_count(), budget == 0 ? 0 : 7);
    EXPECT_TRUE(cache.is_right(live));
    cache.append_all(live, std::span(tokens).subspan(896));
    EXPECT_TRUE(cache.is_right(live));
  }
}

TEST_F(PersistenceTest, HowFarAResumeWouldGoIsKnownWithoutReading) {
  const std::vector<int32_t> tokens = some_tokens(1000, 1);
  save(tokens);
  CacheInStore cache = open();
  const store::Key root = cache.persistence->root_of("");
  const int64_t read_before = cache.persistence->metrics()[StoreMetric::kDiskReadBytes];
  EXPECT_EQ(cache.persistence->resumable_tokens(root, tokens, 999), 896);
  EXPECT_EQ(cache.persistence->resumable_tokens(root, tokens, 895), 0) << "no other state was kept";
  EXPECT_EQ(cache.persistence->resumable_tokens(root, some_tokens(1000, 2), 999), 0);
  EXPECT_EQ(cache.persistence->resumable_tokens(root, {}, -1), 0);
  EXPECT_EQ(cache.persistence->metrics()[StoreMetric::kDiskReadBytes], read_before);
}

// The key of a block is right and its payload is too short or too long, as an archive could bring
// it: it is damage, whoever reads it, and is computed again.
TEST_F(PersistenceTest, ABlockOfAnotherLengthIsDamage) {
  const std::vector<int32_t> tokens = some_tokens(600, 2);
  const kv::CacheLayout layout = small_layout();
  for (const int64_t budget : {int64_t{0}, tight_budget(600)}) {
    for (const int64_t payload_bytes :
         {int64_t{0}, int64_t{1}, layout.hot_bytes - 1, layout.hot_bytes, layout.block_bytes() - 1,
          layout.block_bytes() + 1, int64_t{2'000'000}}) {
      SCOPED_TRACE(payload_bytes);
      std::filesystem::remove_all(directory_.path());
      save(tokens);
      CacheInStore cache = open(budget);
      const store::RecordId id{store::Kind::kBlock, testing::keys_of(layout, tokens)[1]};
      ASSERT_TRUE(cache.store().remove({&id, 1}).ok());
      const std::vector<std::byte> payload(static_cast<size_t>(payload_bytes), std::byte{7});
      ASSERT_TRUE(testing::put_block(cache.store(), layout, tokens, 1, payload).ok());
      {
        Resumed live = cache.resume(tokens);
        EXPECT_EQ(live.sequence.length(), 0);
        EXPECT_EQ(cache.persistence->metrics()[StoreMetric::kVerifyFailures], 1);
        cache.append_all(live, tokens);
        live.recorder.mark_resumable();
        EXPECT_TRUE(cache.is_right(live));
      }
      cache.persistence->drain();
      Resumed again = cache.resume(tokens);
      EXPECT_EQ(again.sequence.length(), 512);
      EXPECT_TRUE(cache.is_right(again));
    }
  }
}

// A block that a live sequence wants to give up all but its hot part of is looked at as closely.
TEST_F(PersistenceTest, NoColdPartIsTakenFromARecordOfAnotherLength) {
  const std::vector<int32_t> tokens = some_tokens(3000, 3);
  CacheInStore cache = open(tight_budget(3000));
  const std::vector<std::byte> payload(static_cast<size_t>(cache.layout->hot_bytes));
  for (int64_t block = 0; block < 10; ++block) {
    ASSERT_TRUE(testing::put_block(cache.store(), *cache.layout, tokens, block, payload).ok());
  }
  Resumed live = cache.resume({});
  cache.append_all(live, tokens);
  EXPECT_GT(live.sequence.hot_part_count(), 15);
  EXPECT_TRUE(cache.is_right(live));
  EXPECT_GE(cache.persistence->metrics()[StoreMetric::kVerifyFailures], 1);
}

TEST_F(PersistenceTest, AStateOfAnotherLengthIsDamage) {
  const std::vector<int32_t> tokens = some_tokens(512, 4);
  save(tokens);
  CacheInStore cache = open();
  const store::Key key = testing::keys_of(*cache.layout, tokens)[3];
  const store::RecordId id{store::Kind::kState, key};
  ASSERT_TRUE(cache.store().remove({&id, 1}).ok());
  const std::vector<std::byte> payload(
      static_cast<size_t>(cache.layout->boundary_state_bytes() + 1));
  ASSERT_TRUE(cache.store()
                  .put({.id = id,
                        .parent = key,
                        .model = testing::test_identity().model,
                        .token_begin = 512},
                       payload)
                  .ok());
  Resumed live = cache.resume(tokens);
  EXPECT_EQ(live.sequence.length(), 384);
  EXPECT_TRUE(cache.is_right(live));
}

// No windows, no overlaps: nothing is missing at a boundary where no state was kept.
TEST_F(PersistenceTest, ALayoutWithoutStatesResumesAtEveryBoundary) {
  const kv::CacheSpec spec{
      .layers = {{.streams = {{.role = kv::Role::kKeys, .vectors = 2, .width = 16},
                              {.role = kv::Role::kValues, .vectors = 2, .width = 16}}},
                 {.streams = {{.tokens_per_row = 128, .width = 32}}}}};
  const std::vector<int32_t> tokens = some_tokens(700, 5);
  {
    CacheInStore cache(directory_.path(), spec);
    ASSERT_EQ(cache.layout->boundary_state_bytes(), 0);
    Resumed live = cache.resume({});
    cache.append_all(live, tokens);
  }
  CacheInStore cache(directory_.path(), spec);
  for (int64_t length = 0; length <= 700; length += 50) {
    Resumed live = cache.resume(std::span(tokens).first(static_cast<size_t>(length)));
    EXPECT_EQ(live.sequence.length(), length / 128 * 128);
    EXPECT_TRUE(cache.is_right(live));
    cache.append_all(live, std::span(tokens).subspan(static_cast<size_t>(length / 128 * 128), 60));
    EXPECT_TRUE(cache.is_right(live));
  }
}

// The same for windows alone: a boundary without its state is none.
TEST_F(PersistenceTest, AMissingStateIsNotAnEmptyOne) {
  const std::vector<int32_t> tokens = some_tokens(700, 6);
  {
    CacheInStore cache = open();
    Resumed live = cache.resume({});
    cache.append_all(live, tokens);
  }
  CacheInStore cache = open();
  EXPECT_EQ(cache.resume(tokens).sequence.length(), 0);
}

// A window so wide that a state of it is no record: said when the store is opened, not when the
// first boundary is reached.
TEST_F(PersistenceTest, ACacheOfLargerPiecesThanRecordsIsRefused) {
  const auto layout = std::make_shared<const kv::CacheLayout>(
      kv::make_layout(kv::pooled_spec({.width = 512, .window_tokens = int64_t{1} << 20})));
  ASSERT_GT(layout->boundary_state_bytes(), store::kPayloadBytesMax);
  const auto opened =
      Persistence::open({.directory = directory_.file("store"), .min_free_bytes = 0},
                        testing::test_identity(), layout, std::make_shared<kv::MemoryAccount>());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(opened.error().field, "store");
}

// Of two that each fit alone, both together do not.
TEST_F(PersistenceTest, APassIsGrantedAsAWholeOrNotAtAll) {
  CacheInStore cache = open(2 * tight_budget(1000));
  Resumed one = cache.resume({});
  Resumed two = cache.resume({});
  const auto room_for = [&](int64_t first, int64_t second) {
    const Appending pass[] = {
        {.sequence = &one.sequence, .recorder = &one.recorder, .token_count = first},
        {.sequence = &two.sequence, .recorder = &two.recorder, .token_count = second}};
    return cache.persistence->make_room(pass);
  };
  int64_t most = 128;
  while (room_for(most, 0).ok()) most += 128;
  most -= 128;
  ASSERT_GE(most, 256);
  EXPECT_TRUE(room_for(0, most).ok());
  const Status both = room_for(most, most);
  ASSERT_FALSE(both.ok());
  EXPECT_EQ(both.error().kind, ErrorKind::kNoRoom);
  EXPECT_EQ(both.error().field, "ram_bytes");
  EXPECT_TRUE(room_for(most / 256 * 128, most / 256 * 128).ok());
}

}  // namespace
}  // namespace kvasir::persist
