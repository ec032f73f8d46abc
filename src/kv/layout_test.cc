#include "kv/layout.h"

#include <gtest/gtest.h>

namespace kvasir::kv {
namespace {

using kernels::CachePrecision;

// The published DeepSeek-V4-Flash: 2 window layers, then 21 CSA and 20 HCA in turn.
CacheSpec flash_spec(CachePrecision precision) {
  CacheSpec spec{.precision = precision,
                 .head_dim = 512,
                 .rope_dim = 64,
                 .index_dim = 128,
                 .window_tokens = 128,
                 .layers = {{}, {}}};
  for (int layer = 2; layer < 43; ++layer) {
    const bool is_csa = layer % 2 == 0;
    spec.layers.push_back(
        {.ratio = is_csa ? 4 : 128, .overlaps = is_csa, .has_index_keys = is_csa});
  }
  return spec;
}

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
