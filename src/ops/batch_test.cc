#include "ops/batch.h"

#include <gtest/gtest.h>

#include <vector>

#include "ops/test_support.h"

namespace kvasir::ops {
namespace {

class BatchTest : public ::testing::Test {
 protected:
  TestCache cache_;
};

TEST_F(BatchTest, LaysTheTokensOfSequencesFlat) {
  kv::Sequence first = cache_.sequence_of(5);
  kv::Sequence second = cache_.sequence_of(0);
  Batch batch(8);
  batch.add(first, std::vector<int32_t>{10, 11, 12});
  batch.add(second, std::vector<int32_t>{20, 21});
  ASSERT_EQ(batch.token_count(), 5);
  EXPECT_EQ(batch.token(2).id, 12);
  EXPECT_EQ(batch.token(2).position, 7);
  EXPECT_EQ(batch.token(3).position, 0);
  EXPECT_EQ(&batch.sequence_of(2), &first);
  EXPECT_EQ(&batch.sequence_of(4), &second);
  EXPECT_EQ(batch.piece_of(4).token_at(1), 4);
  batch.clear();
  EXPECT_EQ(batch.token_count(), 0);
}

TEST_F(BatchTest, TakesNoMoreThanItsCapacityAndNoEmptyPieces) {
  kv::Sequence sequence = cache_.sequence_of(0);
  Batch batch(2);
  EXPECT_DEATH(batch.add(sequence, std::vector<int32_t>{1, 2, 3}), "capacity");
  EXPECT_DEATH(batch.add(sequence, {}), "capacity");
}

TEST_F(BatchTest, KnowsTheRowsThatItCompletes) {
  kv::Sequence first = cache_.sequence_of(5);
  kv::Sequence second = cache_.sequence_of(0);
  Batch batch(16);
  batch.add(first, std::vector<int32_t>(8));   // positions 5 to 12: rows 1 and 2
  batch.add(second, std::vector<int32_t>(3));  // none
  PooledRows rows(kPooledTokens, {1.0}, 16);
  rows.fill(batch);
  ASSERT_EQ(rows.rows().size(), 2U);
  EXPECT_EQ(rows.rows()[0].piece, 0);
  EXPECT_EQ(rows.rows()[0].row, 1);
  EXPECT_EQ(rows.rows()[1].row, 2);
  EXPECT_FLOAT_EQ(rows.rope().cos(rows.rows()[1].rope_index)[0], std::cos(8.0f));
  EXPECT_EQ(batch.complete_rows(0, TestCache::kRows), 1);
  EXPECT_EQ(batch.complete_rows(7, TestCache::kRows), 3);
  EXPECT_EQ(batch.complete_rows(8, TestCache::kRows), 0);
}

}  // namespace
}  // namespace kvasir::ops
