#include "kv/layout.h"

#include <gtest/gtest.h>

#include "kv/test_support.h"

namespace kvasir::kv {
namespace {

using kernels::CodecId;

// Streams that `belongs` holds for lie one behind the other from offset_bytes on.
void expect_contiguous(const CacheLayout& layout, int64_t& offset_bytes, const auto& belongs) {
  for (const StreamLayout& stream : layout.streams) {
    if (!belongs(stream)) continue;
    EXPECT_EQ(stream.offset_bytes, offset_bytes);
    offset_bytes += stream.bytes_per_block;
  }
}

TEST(LayoutTest, FlashInItsOwnFormatsHasThePublishedSizes) {
  const CacheLayout layout = make_layout(pooled_spec(flash_shape()));
  EXPECT_EQ(layout.cold_row_bytes, 584);
  EXPECT_EQ(layout.streams.back().row_bytes, 68);
  EXPECT_EQ(layout.hot_bytes, 57376);
  EXPECT_EQ(layout.cold_bytes, 392448);
  EXPECT_EQ(layout.block_bytes(), 449824);
  EXPECT_EQ(layout.window_bytes, 43 * 128 * 584);
  // Rows of 4 tokens 1.31 MiB, index keys 0.33 MiB, rows of 128 tokens 10 MiB.
  EXPECT_EQ(layout.ring_floats * 4,
            21 * 8 * 1024 * 2 * 4 + 21 * 8 * 256 * 2 * 4 + 20 * 128 * 512 * 2 * 4);
}

TEST(LayoutTest, FlashInFloat32HasThePublishedBytesPerToken) {
  PooledShape shape = flash_shape();
  shape.rows = shape.keys = CodecId::kF32;
  EXPECT_EQ(make_layout(pooled_spec(shape)).block_bytes() / kBlockTokens, 13760);
}

TEST(LayoutTest, BlockIsHotPartThenColdPartEachLayerMajorWithoutGaps) {
  const CacheLayout layout = make_layout(pooled_spec(flash_shape()));
  int64_t offset_bytes = 0;
  expect_contiguous(layout, offset_bytes, [](const StreamLayout& stream) {
    return stream.spec.role == Role::kIndexKeys;
  });
  EXPECT_EQ(offset_bytes, 21 * 32 * 68);
  expect_contiguous(layout, offset_bytes,
                    [](const StreamLayout& stream) { return stream.spec.tokens_per_row == 128; });
  EXPECT_EQ(offset_bytes, layout.hot_bytes);
  expect_contiguous(layout, offset_bytes,
                    [](const StreamLayout& stream) { return stream.is_cold(); });
  EXPECT_EQ(offset_bytes, layout.block_bytes());
}

TEST(LayoutTest, WindowLayersAloneNeedNoBlocks) {
  const CacheLayout layout = make_layout(pooled_spec({.window_tokens = 7, .ratios = {0, 0, 0}}));
  EXPECT_EQ(layout.block_bytes(), 0);
  EXPECT_EQ(layout.block_count(1000), 0);
  EXPECT_EQ(layout.ring_floats, 0);
  EXPECT_EQ(layout.fixed_bytes(), 3 * 7 * layout.streams[0].row_bytes);
}

TEST(LayoutTest, ARowIsCountedFromTheTokenThatCompletesIt) {
  const Stream rows{.tokens_per_row = 4, .width = 8};
  EXPECT_EQ(row_count(rows, 3), 0);
  EXPECT_EQ(row_count(rows, 4), 1);
  EXPECT_EQ(row_count(rows, 127), 31);
  const Stream window{.reach = Reach::kWindow, .width = 8, .window_tokens = 4};
  EXPECT_EQ(row_count(window, 1000), 0);
}

// Keys and values of 8 KV heads of 128 in BF16: 4,096 bytes a token and layer, all of them hot, and
// nothing besides: every boundary can be continued from.
TEST(LayoutTest, GroupedHeadsAreHotRowsWithoutAState) {
  const Stream keys{.role = Role::kKeys, .vectors = 8, .width = 128, .rope_width = 128};
  Stream values = keys;
  values.role = Role::kValues;
  values.rope_width = 0;
  const Layer layer{.streams = {keys, values}};
  const CacheLayout layout = make_layout({.layers = {layer, layer}});
  EXPECT_EQ(layout.hot_bytes, 2 * 128 * 4096);
  EXPECT_EQ(layout.cold_bytes, 0);
  EXPECT_EQ(layout.fixed_bytes(), 0);
  EXPECT_EQ(layout.boundary_state_bytes(), 0);
  EXPECT_EQ(layout.streams[1].offset_bytes, 128 * 2048);
  EXPECT_EQ(layout.find(1, Role::kValues, /*is_window=*/false), 3);
  EXPECT_EQ(layout.find(1, Role::kLatents, /*is_window=*/false), -1);
}

// Latents of 576 values that an indexer picks from, and its keys of 128: the keys are the hot part.
TEST(LayoutTest, PickedLatentsAreTheColdPart) {
  const Stream latents{.reach = Reach::kPicked, .width = 576, .rope_width = 64};
  const Stream keys{.role = Role::kIndexKeys, .width = 128};
  const CacheLayout layout = make_layout({.layers = {{.streams = {latents, keys}}}});
  EXPECT_EQ(layout.hot_bytes, 128 * 256);
  EXPECT_EQ(layout.cold_bytes, 128 * 1152);
  EXPECT_EQ(layout.cold_row_bytes, 1152);
  EXPECT_EQ(layout.boundary_state_bytes(), 0);
}

TEST(LayoutTest, SlidingWindowsAreTheStateAndInNoBlock) {
  Stream keys{.role = Role::kKeys,
              .reach = Reach::kWindow,
              .vectors = 2,
              .width = 64,
              .window_tokens = 512};
  Stream values = keys;
  values.role = Role::kValues;
  const CacheLayout layout = make_layout({.layers = {{.streams = {keys, values}}}});
  EXPECT_EQ(layout.block_bytes(), 0);
  EXPECT_EQ(layout.boundary_state_bytes(), 512 * 2 * 256);
  EXPECT_EQ(layout.streams[1].offset_bytes, 512 * 256);
}

TEST(LayoutTest, ALayerThatReadsAnothersStreamsAddsNothing) {
  const Layer own{.streams = {{.role = Role::kKeys, .width = 64}}};
  const CacheLayout layout = make_layout({.layers = {own, {.source_layer = 0}}});
  EXPECT_EQ(layout.layer_count, 2);
  EXPECT_EQ(layout.streams.size(), 1U);
  EXPECT_DEATH((void)make_layout({.layers = {own, {.source_layer = 1}}}), "one before it");
}

}  // namespace
}  // namespace kvasir::kv
