// A PooledShape describes a cache for tests. Its layers keep a window and, where their ratio is not
// 0, rows of so many tokens each. Rows of 4 tokens overlap, and index keys pick among them.
#pragma once

#include <vector>

#include "kv/layout.h"

namespace kvasir::kv {

struct PooledShape {
  int64_t width = 128;
  int64_t rope_width = 64;
  int64_t index_width = 128;
  int64_t window_tokens = 128;
  kernels::CodecId rows = kernels::CodecId::kFp8;
  kernels::CodecId keys = kernels::CodecId::kFp4;
  std::vector<int64_t> ratios = {0, 4, 128};
};

inline CacheSpec pooled_spec(const PooledShape& shape) {
  CacheSpec spec;
  for (const int64_t ratio : shape.ratios) {
    const bool is_picked = ratio == 4;
    Stream row{.width = shape.width, .rope_width = shape.rope_width, .codec = shape.rows};
    Layer layer;
    if (shape.window_tokens > 0) {
      layer.streams.push_back(row);
      layer.streams.back().reach = Reach::kWindow;
      layer.streams.back().window_tokens = shape.window_tokens;
    }
    if (ratio != 0) {
      row.reach = is_picked ? Reach::kPicked : Reach::kAll;
      row.tokens_per_row = ratio;
      row.overlaps = is_picked;
      layer.streams.push_back(row);
    }
    if (is_picked) {
      layer.streams.push_back({.role = Role::kIndexKeys,
                               .tokens_per_row = ratio,
                               .overlaps = true,
                               .width = shape.index_width,
                               .codec = shape.keys});
    }
    spec.layers.push_back(layer);
  }
  return spec;
}

// Returns the shape of the published DeepSeek-V4-Flash: 43 layers, 2 of windows alone, then 21 of 4
// and 20 of 128 tokens a row in turn.
inline PooledShape flash_shape() {
  PooledShape shape{.width = 512, .ratios = {0, 0}};
  for (int layer = 2; layer < 43; ++layer) shape.ratios.push_back(layer % 2 == 0 ? 4 : 128);
  return shape;
}

}  // namespace kvasir::kv
