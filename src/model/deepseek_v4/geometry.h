// cache_spec translates the layers of a DeepSeek-V4 config into the streams that its cache needs.
// Geometry says where each layer's streams stand in the layout. Both are plain values; nothing else
// makes this translation.
#pragma once

#include <string_view>
#include <vector>

#include "base/check.h"
#include "kv/layout.h"
#include "kv/spec.h"
#include "kvasir/result.h"
#include "model/deepseek_v4/config.h"

namespace kvasir::model::deepseek_v4 {

// Layers of a compressed kind pool ratio_of(kind) tokens into a row; 0: a window is all they keep.
inline bool is_compressed(LayerKind kind) { return kind != LayerKind::kWindow; }
inline int64_t ratio_of(LayerKind kind) {
  return kind == LayerKind::kCsa ? kCsaRatio : (kind == LayerKind::kHca ? kHcaRatio : 0);
}

// Returns the cache of a config. `precision`, in the grammar of kv/coding.h: "native" (FP8 rows,
// FP4 index keys, as the model was trained with), the codec of everything ("bf16", "f16", "f32"),
// or what compressed rows and index keys are held in ("k=nvfp4-row,i=sign-keys"). Errors: no
// precision, one that makes no sense for such rows, several for raw rows, for picked ones or for
// index keys.
Result<kv::CacheSpec> cache_spec(const Config& config, std::string_view precision);

// LayerStreams are the indices of a layer's streams in the layout; -1: it has none of that kind.
struct LayerStreams {
  int64_t window = -1;  // raw rows
  int64_t rows = -1;    // compressed rows
  int64_t keys = -1;    // index keys
};

// A Geometry holds the formats of a cache and every layer's streams, whose layouts say how
// compressed rows are held.
struct Geometry {
  kernels::RowFormat row;  // of raw rows
  kernels::RowFormat key;  // of index keys; dim 0 when no layer has any
  std::vector<LayerStreams> layers;

  const LayerStreams& of(int64_t layer) const {
    KVASIR_CHECK(layer >= 0 && layer < std::ssize(layers), "a layer of the model");
    return layers[static_cast<size_t>(layer)];
  }
};
// REQUIRES: a layout of a cache_spec().
Geometry geometry_of(const kv::CacheLayout& layout);

}  // namespace kvasir::model::deepseek_v4
