#include "kv/sequence.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <utility>

namespace kvasir::kv {
namespace {

class SequenceTest : public ::testing::Test {
 protected:
  static constexpr int64_t kCsaLayer = 1;
  static constexpr int64_t kHcaLayer = 2;

  SequenceTest()
      : layout_(std::make_shared<const CacheLayout>(
            make_layout({.head_dim = 128,
                         .rope_dim = 64,
                         .index_dim = 128,
                         .window_tokens = 16,
                         .layers = {{},
                                    {.ratio = 4, .overlaps = true, .has_index_keys = true},
                                    {.ratio = 128}}}))),
        account_(std::make_shared<MemoryAccount>()) {}

  Sequence make() { return Sequence::create(layout_, account_).value(); }

  // Appends tokens and marks every row they complete with the row's index.
  void append(Sequence& sequence, int64_t count) {
    std::vector<int32_t> tokens(static_cast<size_t>(count));
    std::iota(tokens.begin(), tokens.end(), static_cast<int32_t>(sequence.length()));
    const int64_t start = sequence.length();
    ASSERT_TRUE(sequence.begin_append(tokens).ok());
    for (int64_t layer : {kCsaLayer, kHcaLayer}) {
      const LayerSpec& spec = layout_->layers[static_cast<size_t>(layer)].spec;
      for (int64_t row = CacheLayout::row_count(spec, start);
           row < CacheLayout::row_count(spec, start + count); ++row) {
        write(sequence.writable_row(layer, row), layer * 100000 + row);
        if (spec.has_index_keys) write(sequence.writable_key(layer, row), row);
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
    for (int64_t layer : {kCsaLayer, kHcaLayer}) {
      const LayerLayout& entry = layout_->layers[static_cast<size_t>(layer)];
      for (int64_t row = 0; row < CacheLayout::row_count(entry.spec, sequence.length()); ++row) {
        ASSERT_EQ(read(sequence.row(layer, row)), layer * 100000 + row);
        if (!entry.spec.has_index_keys) continue;
        const std::byte* keys = sequence.block_keys(layer, row / entry.rows_per_block);
        ASSERT_EQ(read(keys + row % entry.rows_per_block * layout_->key.bytes()), row);
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
  EXPECT_EQ(std::as_const(child).row(kCsaLayer, 40), std::as_const(parent).row(kCsaLayer, 40));
  EXPECT_NE(std::as_const(child).row(kCsaLayer, 74), std::as_const(parent).row(kCsaLayer, 74));

  write(parent.raw_row(0, 299), 1);
  write(child.raw_row(0, 299), 2);
  EXPECT_EQ(read(parent.raw_row(0, 299)), 1);
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
  EXPECT_NE(sequence.writable_row(kCsaLayer, 32), nullptr);
  EXPECT_DEATH(sequence.writable_row(kCsaLayer, 31), "not sealed");
  EXPECT_DEATH(sequence.writable_key(kCsaLayer, 0), "not sealed");
  EXPECT_DEATH(sequence.writable_row(kCsaLayer, 64), "not sealed");
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
  EXPECT_DEATH((void)readable.row(kCsaLayer, 64), "a block that was begun");
  EXPECT_DEATH((void)readable.row(0, 0), "a layer that has rows");
  EXPECT_DEATH((void)readable.row(3, 0), "a layer of the layout");
  EXPECT_DEATH((void)readable.block_keys(kHcaLayer, 0), "a layer with keys");
}
#endif

// A model without windows and overlaps: nothing but blocks outlives a boundary.
TEST_F(SequenceTest, WithoutWindowsABoundaryNeedsNoState) {
  layout_ = std::make_shared<const CacheLayout>(
      make_layout({.head_dim = 128, .rope_dim = 64, .layers = {{}, {.ratio = 4}, {.ratio = 128}}}));
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

TEST_F(SequenceTest, RawWindowAndCompressorRingsReuseTheirSlots) {
  Sequence sequence = make();
  EXPECT_EQ(sequence.raw_row(0, 3), sequence.raw_row(0, 19));
  EXPECT_NE(sequence.raw_row(0, 3), sequence.raw_row(1, 3));
  const CompressorRing rows = sequence.row_ring(kCsaLayer);
  EXPECT_EQ(rows.ring_tokens, 8);
  EXPECT_EQ(rows.columns, 256);
  EXPECT_EQ(rows.values_of(2), rows.values_of(10));
  EXPECT_EQ(sequence.row_ring(kHcaLayer).ring_tokens, 128);
  EXPECT_EQ(sequence.key_ring(kHcaLayer).columns, 0);
}

}  // namespace
}  // namespace kvasir::kv
