#include "persist/residency.h"

#include <gtest/gtest.h>

#include "persist_driver.h"
#include "simulated_disk.h"

namespace kvasir::persist {
namespace {

constexpr PassNeeds kNeeds{.tokens_max = 256, .picked_rows_max = 4};

class ResidencyTest : public ::testing::Test {
 protected:
  ResidencyTest()
      : store_(store::BlockStore::open(std::make_shared<testing::SimulatedDisk>(),
                                       {.directory = "/store", .min_free_bytes = 0})
                   .value()) {}

  std::unique_ptr<Residency> create(int64_t budget_bytes) {
    return Residency::create(*store_, layout_, account_,
                             {.budget_bytes = budget_bytes, .pass = kNeeds})
        .value();
  }

  std::unique_ptr<store::BlockStore> store_;
  std::shared_ptr<const kv::CacheLayout> layout_ =
      std::make_shared<const kv::CacheLayout>(kv::make_layout(testing::small_cache_spec()));
  std::shared_ptr<kv::MemoryAccount> account_ = std::make_shared<kv::MemoryAccount>();
};

TEST_F(ResidencyTest, ATicketIsTheBlocksThatBeginAndAState) {
  const auto residency = create(int64_t{1} << 30);
  kv::Sequence sequence = kv::Sequence::create(layout_, account_).value();
  const int64_t state = layout_->boundary_state_bytes();
  EXPECT_EQ(residency->ticket_for(sequence, 0).bytes, state);
  EXPECT_EQ(residency->ticket_for(sequence, 128).bytes, state + layout_->block_bytes());
  EXPECT_EQ(residency->ticket_for(sequence, 129).bytes, state + 2 * layout_->block_bytes());
  Ticket sum = residency->ticket_for(sequence, 129);
  sum += residency->ticket_for(sequence, 5);
  EXPECT_EQ(sum.bytes, 2 * state + 3 * layout_->block_bytes());
  EXPECT_EQ(sum.length, 129);
}

TEST_F(ResidencyTest, BlocksStayWholeUntilSomethingDoesNotFit) {
  const auto residency = create(10'000'000);
  EXPECT_TRUE(residency->admit_whole({.bytes = 5'000'000}));
  EXPECT_FALSE(residency->admit_whole({.bytes = 10'000'000}));
  EXPECT_FALSE(residency->admit_whole({.bytes = 1}));
}

// Whatever is asked for, rows and the rest stay within the budget together.
TEST_F(ResidencyTest, RowsGetTheRestAndNoMore) {
  const int64_t budget = 10'000'000;
  const auto residency = create(budget);
  kv::AccountedBuffer<std::byte> other(2'000'000, account_);
  for (int64_t bytes = 0; bytes < 7'000'000; bytes += 300'000) {
    ASSERT_TRUE(residency->give_rest_to_rows({.bytes = bytes}).ok());
    EXPECT_LE(account_->allocated_bytes() + bytes, cache_share_of(budget));
    EXPECT_GT(residency->rows()->allocated_bytes(), 0);
  }
  const Status refused = residency->give_rest_to_rows({.bytes = 8'000'000});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kNoRoom);
  EXPECT_EQ(refused.error().field, "ram_bytes");
}

TEST_F(ResidencyTest, TheLeastBudgetTakesItsSequenceAndOneByteLessDoesNot) {
  const int64_t least = ram_bytes_min(*layout_, kNeeds, 5000);
  EXPECT_TRUE(create(least)->check(5000).ok());
  const Status refused = create(least - 1)->check(5000);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().expected.find(std::to_string(least)), std::string::npos);
}

// Rows that are all attended cannot leave: there is nothing to read, and nothing to keep at hand.
TEST_F(ResidencyTest, WithoutPickedRowsBlocksCountWhole) {
  layout_ = std::make_shared<const kv::CacheLayout>(
      kv::make_layout({.layers = {{.streams = {{.vectors = 2, .width = 64}}}}}));
  const int64_t least = ram_bytes_min(*layout_, kNeeds, 5000);
  EXPECT_GE(least, 40 * layout_->block_bytes());
  const auto residency = create(least);
  EXPECT_EQ(residency->rows(), nullptr);
  EXPECT_TRUE(residency->check(5000).ok());
  EXPECT_TRUE(residency->admit_whole({.bytes = 40 * layout_->block_bytes()}));
  EXPECT_FALSE(residency->admit_whole({.bytes = least}));
  EXPECT_TRUE(residency->give_rest_to_rows({.bytes = 40 * layout_->block_bytes()}).ok());
  EXPECT_FALSE(residency->give_rest_to_rows({.bytes = least}).ok());
}

}  // namespace
}  // namespace kvasir::persist
