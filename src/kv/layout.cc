#include "kv/layout.h"

#include "base/check.h"

namespace kvasir::kv {
namespace {

void size_rings(const CacheSpec& spec, LayerLayout& layer) {
  if (layer.spec.ratio == 0) return;
  const int64_t halves = layer.spec.overlaps ? 2 : 1;
  layer.ring_tokens = layer.spec.ratio * halves;
  layer.row_columns = spec.head_dim * halves;
  layer.key_columns = layer.spec.has_index_keys ? spec.index_dim * halves : 0;
}

}  // namespace

int64_t CacheLayout::boundary_state_bytes() const {
  int64_t floats = 0;
  for (const LayerLayout& layer : layers) floats += layer.overlap_floats();
  return raw_window_bytes + floats * static_cast<int64_t>(sizeof(float));
}

CacheLayout make_layout(const CacheSpec& spec) {
  KVASIR_CHECK(spec.head_dim > 0 && spec.window_tokens >= 0, "rows have a width, windows a length");
  CacheLayout layout;
  layout.row = {spec.precision, spec.head_dim, spec.rope_dim};
  layout.key = {spec.precision, spec.index_dim};
  layout.window_tokens = spec.window_tokens;
  for (const LayerSpec& layer_spec : spec.layers) {
    KVASIR_CHECK(layer_spec.ratio >= 0, "a ratio of tokens to a row");
    KVASIR_CHECK(layer_spec.ratio == 0 || kBlockTokens % layer_spec.ratio == 0,
                 "a block holds whole groups of every layer");
    KVASIR_CHECK(layer_spec.ratio > 0 || (!layer_spec.overlaps && !layer_spec.has_index_keys),
                 "a layer without rows has nothing to overlap and no keys");
    KVASIR_CHECK(!layer_spec.has_index_keys || spec.index_dim > 0, "keys have a width");
    LayerLayout layer{.spec = layer_spec};
    layer.rows_per_block = CacheLayout::row_count(layer_spec, kBlockTokens);
    size_rings(spec, layer);
    layout.layers.push_back(layer);
  }

  int64_t offset_bytes = 0;
  for (LayerLayout& layer : layout.layers) {
    if (!layer.spec.has_index_keys) continue;
    layer.keys_offset_bytes = offset_bytes;
    offset_bytes += layer.rows_per_block * layout.key.bytes();
  }
  for (const bool cold : {false, true}) {
    for (LayerLayout& layer : layout.layers) {
      if (layer.spec.has_index_keys != cold) continue;
      layer.rows_offset_bytes = offset_bytes;
      offset_bytes += layer.rows_per_block * layout.row.bytes();
    }
    if (!cold) layout.hot_bytes = offset_bytes;
  }
  layout.cold_bytes = offset_bytes - layout.hot_bytes;

  for (const LayerLayout& layer : layout.layers) {
    layout.raw_window_bytes += layout.window_tokens * layout.row.bytes();
    layout.compressor_ring_floats +=
        layer.ring_tokens * 2 * (layer.row_columns + layer.key_columns);
  }
  return layout;
}

}  // namespace kvasir::kv
