#include "kv/sequence.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <utility>

#include "kv/test_support.h"

namespace kvasir::kv {
namespace {

class SequenceTest : public ::testing::Test {
 protected:
  // Streams of three layers: a window; a window, picked rows and their keys; a window and rows.
  static constexpr int64_t kWindow = 0;
  static constexpr int64_t kOtherWindow = 1;
  static constexpr int64_t kPickedRows = 2;
  static constexpr int64_t kKeys = 3;
  static constexpr int64_t kRows = 5;

  SequenceTest()
      : layout_(
            std::make_shared<const CacheLayout>(make_layout(pooled_spec({.window_tokens = 16})))),
        account_(std::make_shared<MemoryAccount>()) {}

  Sequence make() { return Sequence::create(layout_, account_).value(); }

  // Appends tokens and marks every row they complete with the row's index.
  void append(Sequence& sequence, int64_t count) {
    std::vector<int32_t> tokens(static_cast<size_t>(count));
    std::iota(tokens.begin(), tokens.end(), static_cast<int32_t>(sequence.length()));
    const int64_t start = sequence.length();
    ASSERT_TRUE(sequence.begin_append(tokens).ok());
    for (int64_t stream = 0; stream < std::ssize(layout_->streams); ++stream) {
      const Stream& spec = layout_->streams[static_cast<size_t>(stream)].spec;
      for (int64_t row = row_count(spec, start); row < row_count(spec, start + count); ++row) {
        write(sequence.writable_row(stream, row), stream * 100000 + row);
      }
    }
    sequence.finish_append();
  }

  static void write(std::byte* target, int64_t mark) { std::memcpy(target, &mark, sizeof mark); }
  static int64_t read(const std::byte* source) {
    int64_t mark = 0;
    std::memcpy(&mark, source, sizeof mark);
    return mark;
  }

  void expect_rows(const Sequence& sequence) {
    for (int64_t stream = 0; stream < std::ssize(layout_->streams); ++stream) {
      const StreamLayout& entry = layout_->streams[static_cast<size_t>(stream)];
      for (int64_t row = 0; row < row_count(entry.spec, sequence.length()); ++row) {
        ASSERT_EQ(read(sequence.row(stream, row)), stream * 100000 + row);
        const std::byte* first = sequence.block_rows(stream, row / entry.rows_per_block);
        ASSERT_EQ(first + row % entry.rows_per_block * entry.row_bytes, sequence.row(stream, row));
      }
    }
  }

  std::shared_ptr<const CacheLayout> layout_;
  std::shared_ptr<MemoryAccount> account_;
};

TEST_F(SequenceTest, MemoryIsTheFixedPartAndOneBlockPer128TokensBegun) {
  Sequence sequence = make();
  EXPECT_EQ(account_->allocated_bytes(), layout_->fixed_bytes());
  for (const auto& [length, blocks] :
       {std::pair<int64_t, int64_t>{1, 1}, {128, 1}, {129, 2}, {1000, 8}}) {
    append(sequence, length - sequence.length());
    EXPECT_EQ(account_->allocated_bytes(),
              layout_->fixed_bytes() + blocks * layout_->block_bytes());
  }
}

TEST_F(SequenceTest, RowsStayWhereTheyWereWrittenHoweverTheTokensWereCut) {
  Sequence sequence = make();
  for (int64_t count : {1, 2, 130, 7, 128, 300, 4}) append(sequence, count);
  EXPECT_EQ(sequence.length(), 572);
  EXPECT_EQ(sequence.tokens().back(), 571);
  expect_rows(sequence);
}

TEST_F(SequenceTest, AForkSharesSealedBlocksAndOwnsTheRest) {
  Sequence parent = make();
  append(parent, 300);
  const int64_t before_bytes = account_->allocated_bytes();
  Sequence child = parent.fork().value();
  EXPECT_EQ(account_->allocated_bytes() - before_bytes,
            layout_->fixed_bytes() + layout_->block_bytes());
  EXPECT_EQ(std::as_const(child).row(kPickedRows, 40), std::as_const(parent).row(kPickedRows, 40));
  EXPECT_NE(std::as_const(child).row(kPickedRows, 74), std::as_const(parent).row(kPickedRows, 74));

  write(parent.window_row(kWindow, 299), 1);
  write(child.window_row(kWindow, 299), 2);
  EXPECT_EQ(read(parent.window_row(kWindow, 299)), 1);
  append(child, 200);
  append(parent, 90);
  expect_rows(child);
  expect_rows(parent);
  EXPECT_EQ(parent.length(), 390);
}

TEST_F(SequenceTest, SharedBlocksLiveAsLongAsAnyOfTheirSequences) {
  std::optional<Sequence> parent = make();
  append(*parent, 256);
  Sequence child = parent->fork().value();
  parent.reset();
  expect_rows(child);
  EXPECT_EQ(account_->allocated_bytes(), layout_->fixed_bytes() + 2 * layout_->block_bytes());
}

TEST_F(SequenceTest, ACancelledAppendLeavesNoTrace) {
  Sequence sequence = make();
  append(sequence, 130);
  const int64_t bytes = account_->allocated_bytes();
  const std::vector<int32_t> tokens(500, 7);
  ASSERT_TRUE(sequence.begin_append(tokens).ok());
  EXPECT_GT(account_->allocated_bytes(), bytes);
  sequence.cancel_append();
  EXPECT_EQ(account_->allocated_bytes(), bytes);
  append(sequence, 200);
  expect_rows(sequence);
}

// Forks, the store's thread and later sequences read sealed blocks: nobody writes there.
TEST_F(SequenceTest, ASealedBlockCannotBeWritten) {
  Sequence sequence = make();
  append(sequence, 200);
  EXPECT_NE(sequence.writable_row(kPickedRows, 32), nullptr);
  EXPECT_DEATH(sequence.writable_row(kPickedRows, 31), "not sealed");
  EXPECT_DEATH(sequence.writable_row(kKeys, 0), "not sealed");
  EXPECT_DEATH(sequence.writable_row(kPickedRows, 64), "not sealed");
}

TEST_F(SequenceTest, ItsOwnTokensMoveAsItGrowsAndAreRefused) {
  Sequence sequence = make();
  append(sequence, 200);
  EXPECT_DEATH((void)sequence.begin_append(sequence.tokens().subspan(3, 5)), "stay where they");
  const std::vector<int32_t> copy(sequence.tokens().begin(), sequence.tokens().end());
  EXPECT_TRUE(sequence.begin_append(copy).ok());
}

#ifdef KVASIR_DCHECKS
TEST_F(SequenceTest, CheckedBuildsRefuseRowsThatAreNotThere) {
  Sequence sequence = make();
  append(sequence, 200);
  const Sequence& readable = sequence;
  EXPECT_DEATH((void)readable.row(kPickedRows, 64), "a block that was begun");
  EXPECT_DEATH((void)readable.row(kWindow, 0), "a row of a stream in blocks");
  EXPECT_DEATH((void)readable.row(6, 0), "a stream of the layout");
  EXPECT_DEATH((void)readable.block_rows(kWindow, 0), "a stream in blocks");
}
#endif

// A model without windows and overlaps: nothing but blocks outlives a boundary.
TEST_F(SequenceTest, WithoutWindowsABoundaryNeedsNoState) {
  layout_ = std::make_shared<const CacheLayout>(
      make_layout({.layers = {{.streams = {{.role = Role::kKeys, .vectors = 2, .width = 16},
                                           {.role = Role::kValues, .vectors = 2, .width = 16}}},
                              {.streams = {{.tokens_per_row = 128, .width = 32}}}}}));
  ASSERT_EQ(layout_->boundary_state_bytes(), 0);
  Sequence sequence = make();
  append(sequence, 256);
  sequence.write_boundary_state({});
  std::vector<SealedBlock> blocks(sequence.sealed_blocks().begin(), sequence.sealed_blocks().end());
  Sequence resumed =
      Sequence::resume(layout_, account_, sequence.tokens(), std::move(blocks), {}).value();
  append(resumed, 100);
  expect_rows(resumed);
}

TEST_F(SequenceTest, WindowsAndPoolingRingsReuseTheirSlots) {
  Sequence sequence = make();
  EXPECT_EQ(sequence.window_row(kWindow, 3), sequence.window_row(kWindow, 19));
  EXPECT_NE(sequence.window_row(kWindow, 3), sequence.window_row(kOtherWindow, 3));
  const PoolingRing rows = sequence.ring(kPickedRows);
  EXPECT_EQ(rows.ring_tokens, 8);
  EXPECT_EQ(rows.columns, 256);
  EXPECT_EQ(rows.values_of(2), rows.values_of(10));
  EXPECT_EQ(sequence.ring(kRows).ring_tokens, 128);
  EXPECT_EQ(sequence.ring(kWindow).columns, 0);
}

}  // namespace
}  // namespace kvasir::kv
