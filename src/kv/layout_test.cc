#include "kv/layout.h"

#include <gtest/gtest.h>

#include "kv/flash_spec.h"

namespace kvasir::kv {
namespace {

using kernels::CachePrecision;

TEST(LayoutTest, FlashInNativePrecisionHasThePublishedSizes) {
  const CacheLayout layout = make_layout(flash_spec(CachePrecision::kNative));
  EXPECT_EQ(layout.row.bytes(), 584);
  EXPECT_EQ(layout.key.bytes(), 68);
  EXPECT_EQ(layout.hot_bytes, 57376);
  EXPECT_EQ(layout.cold_bytes, 392448);
  EXPECT_EQ(layout.block_bytes(), 449824);
  EXPECT_EQ(layout.raw_window_bytes, 43 * 128 * 584);
  // CSA 1.31 MiB, index 0.33 MiB, HCA 10 MiB.
  EXPECT_EQ(layout.compressor_ring_floats * 4,
            21 * 8 * 1024 * 2 * 4 + 21 * 8 * 256 * 2 * 4 + 20 * 128 * 512 * 2 * 4);
}

TEST(LayoutTest, FlashInFloat32HasThePublishedBytesPerToken) {
  const CacheLayout layout = make_layout(flash_spec(CachePrecision::kF32));
  EXPECT_EQ(layout.block_bytes() / kBlockTokens, 13760);
}

TEST(LayoutTest, BlockIsHotPartThenColdPartEachLayerMajorWithoutGaps) {
  const CacheLayout layout = make_layout(flash_spec(CachePrecision::kNative));
  int64_t expected_offset_bytes = 0;
  for (const LayerLayout& layer : layout.layers) {
    if (!layer.spec.has_index_keys) continue;
    EXPECT_EQ(layer.keys_offset_bytes, expected_offset_bytes);
    expected_offset_bytes += 32 * 68;
  }
  for (const LayerLayout& layer : layout.layers) {
    if (layer.spec.ratio != 128) continue;
    EXPECT_EQ(layer.rows_offset_bytes, expected_offset_bytes);
    expected_offset_bytes += 584;
  }
  EXPECT_EQ(expected_offset_bytes, layout.hot_bytes);
  for (const LayerLayout& layer : layout.layers) {
    if (layer.spec.ratio != 4) continue;
    EXPECT_EQ(layer.rows_offset_bytes, expected_offset_bytes);
    expected_offset_bytes += 32 * 584;
  }
  EXPECT_EQ(expected_offset_bytes, layout.block_bytes());
}

TEST(LayoutTest, WindowLayersAloneNeedNoBlocks) {
  const CacheLayout layout =
      make_layout({.head_dim = 128, .rope_dim = 64, .window_tokens = 7, .layers = {{}, {}, {}}});
  EXPECT_EQ(layout.block_bytes(), 0);
  EXPECT_EQ(layout.block_count(1000), 0);
  EXPECT_EQ(layout.compressor_ring_floats, 0);
  EXPECT_EQ(layout.fixed_bytes(), 3 * 7 * layout.row.bytes());
}

TEST(LayoutTest, ARowIsCountedFromTheTokenThatCompletesIt) {
  const LayerSpec csa{.ratio = 4, .overlaps = true, .has_index_keys = true};
  EXPECT_EQ(CacheLayout::row_count(csa, 3), 0);
  EXPECT_EQ(CacheLayout::row_count(csa, 4), 1);
  EXPECT_EQ(CacheLayout::row_count(csa, 127), 31);
  EXPECT_EQ(CacheLayout::row_count({}, 1000), 0);
}

}  // namespace
}  // namespace kvasir::kv
