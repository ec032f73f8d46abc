// The cache of the published DeepSeek-V4-Flash: 43 layers, 2 of windows alone, then 21 CSA and 20
// HCA in turn. What tests and benchmarks mean by Flash geometry.
#pragma once

#include "kv/layout.h"

namespace kvasir::kv {

inline CacheSpec flash_spec(kernels::CachePrecision precision) {
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

}  // namespace kvasir::kv
