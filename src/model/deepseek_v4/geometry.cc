#include "model/deepseek_v4/geometry.h"

namespace kvasir::model::deepseek_v4 {

kv::CacheSpec cache_spec(const Config& config, kernels::CachePrecision precision) {
  kv::CacheSpec spec{.precision = precision,
                     .head_dim = config.head_dim,
                     .rope_dim = config.rope_dim,
                     .index_dim = config.index_head_dim,
                     .window_tokens = config.window};
  for (const LayerKind kind : config.layers) {
    const bool is_csa = kind == LayerKind::kCsa;
    spec.layers.push_back({.ratio = ratio_of(kind), .overlaps = is_csa, .has_index_keys = is_csa});
  }
  return spec;
}

}  // namespace kvasir::model::deepseek_v4
