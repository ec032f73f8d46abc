// cache_spec translates a model's config into the cache it needs. No other place turns checkpoint
// words into cache words.
#pragma once

#include "kernels/row_format.h"
#include "kv/layout.h"
#include "model/deepseek_v4/config.h"

namespace kvasir::model::deepseek_v4 {

inline bool is_compressed(LayerKind kind) { return kind != LayerKind::kWindow; }
inline int64_t ratio_of(LayerKind kind) {
  return kind == LayerKind::kCsa ? kCsaRatio : (kind == LayerKind::kHca ? kHcaRatio : 0);
}

kv::CacheSpec cache_spec(const Config& config, kernels::CachePrecision precision);

}  // namespace kvasir::model::deepseek_v4
