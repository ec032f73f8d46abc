// CacheLayout: the one table that says what a model's cache is made of. Allocator, forward pass,
// planner and file format read their byte counts and offsets here and have no arithmetic of their
// own. Plain values, immutable once made.
//
// A block holds ALL layers' compressed rows and index keys of kBlockTokens consecutive tokens:
//   hot part:  index keys of every layer that has them, then the rows of layers whose rows are all
//   attended, cold part: rows of layers that attend only picked rows,
// each layer-major, so that either part is one contiguous read.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/row_format.h"

namespace kvasir::kv {

// The least common multiple of the family's ratios 4 and 128: at a multiple of it no group is half
// full.
inline constexpr int64_t kBlockTokens = 128;

// What a layer remembers of tokens beyond the raw window.
struct LayerSpec {
  int64_t ratio = 0;      // tokens per compressed row; 0: no compressed rows. Divides kBlockTokens.
  bool overlaps = false;  // a row pools the previous group too
  bool has_index_keys = false;  // rows are picked by an indexer, so they are cold
};

struct CacheSpec {
  kernels::CachePrecision precision = kernels::CachePrecision::kNative;
  int64_t head_dim = 0;
  int64_t rope_dim = 0;
  int64_t index_dim = 0;  // 0 when no layer has index keys
  int64_t window_tokens = 0;
  std::vector<LayerSpec> layers;
};

struct LayerLayout {
  LayerSpec spec;
  int64_t rows_per_block = 0;
  int64_t rows_offset_bytes = 0;  // into the block's payload
  int64_t keys_offset_bytes = 0;  // into the block's payload, layers with index keys only

  // Ring of values and gates of tokens that are not yet pooled; zero without compressed rows.
  int64_t ring_tokens = 0;  // ratio, twice that where rows overlap
  int64_t row_columns = 0;  // floats per token of values, and as many of gates
  int64_t key_columns = 0;  // the same for the index keys

  // Floats that outlive a boundary: values and gates of the last group's first columns, which the
  // next row pools too; row and key compressor together.
  int64_t overlap_floats() const {
    return spec.overlaps ? spec.ratio * (row_columns + key_columns) : 0;
  }
};

struct CacheLayout {
  kernels::RowFormat row;
  kernels::KeyFormat key;
  int64_t window_tokens = 0;
  std::vector<LayerLayout> layers;

  int64_t hot_bytes = 0;
  int64_t cold_bytes = 0;
  int64_t block_bytes() const { return hot_bytes + cold_bytes; }

  int64_t raw_window_bytes = 0;        // all layers' raw rows
  int64_t compressor_ring_floats = 0;  // all layers' values and gates, row and key compressors
  // What every sequence holds, however short it is.
  int64_t fixed_bytes() const {
    return raw_window_bytes + compressor_ring_floats * static_cast<int64_t>(sizeof(float));
  }

  // What a sequence at a boundary needs besides its blocks to go on: raw windows and overlaps.
  int64_t boundary_state_bytes() const;

  // Compressed rows of a layer that a sequence of that many tokens has.
  static int64_t row_count(const LayerSpec& spec, int64_t token_count) {
    return spec.ratio == 0 ? 0 : token_count / spec.ratio;
  }
  // Blocks begun by a sequence of that many tokens; none when no layer has compressed rows.
  int64_t block_count(int64_t token_count) const {
    return block_bytes() == 0 ? 0 : (token_count + kBlockTokens - 1) / kBlockTokens;
  }
};

CacheLayout make_layout(const CacheSpec& spec);

}  // namespace kvasir::kv
