// A CacheLayout says where everything lies that a CacheSpec names. Allocator, forward pass, planner
// and file format read their byte counts and offsets here and have no arithmetic of their own.
// Plain values, immutable once made.
//
// A block holds the rows of kBlockTokens consecutive tokens of all streams with reach kAll or
// kPicked:
//   hot part:  index keys of every layer, then the other rows that are all attended,
//   cold part: the rows that are picked,
// each layer after layer and without gaps, so that either part is one contiguous read. The first
// block of a sequence ends in the rows that are kept whole, if there are any.
//
// A stream is SEALED if its codec is no row format. Then a token reads the rows of its own block at
// full width, and the rows of every earlier block as decoded from its bytes: which form a token
// sees is a function of positions alone. In a block such a stream lies vector by vector, so that
// what one head reads is one run of bytes.
//
// For example, take a block of 128 tokens and a stream of a row per 4 tokens: 32 rows a block. A
// sequence of 1,003 tokens has 250 of these rows and has begun 8 blocks. Row 249 is row 25 of
// block 7.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/codecs/codec.h"
#include "kv/spec.h"

namespace kvasir::kv {

// A block's tokens. The number of tokens that are pooled into one row divides it, so that no group
// is half full at a block's end. The groups of codecs divide it too.
inline constexpr int64_t kBlockTokens = 128;

// Returns how many complete rows of a stream a sequence of that many tokens has; 0 for windows,
// which are in no block.
inline int64_t row_count(const Stream& stream, int64_t token_count) {
  return stream.reach == Reach::kWindow ? 0 : token_count / stream.tokens_per_row;
}

// A StreamLayout is one stream of the spec with its sizes and its place.
struct StreamLayout {
  Stream spec;
  int64_t layer = 0;
  kernels::RowFormat format;  // of one vector; of a sealed stream, of its rows at full width
  int64_t row_bytes = 0;      // of all its vectors, where rows stand alone; 0: sealed

  int64_t rows_per_block = 0;    // 0 for windows
  int64_t bytes_per_block = 0;   // 0 for windows
  int64_t bytes_per_vector = 0;  // of a block of a sealed stream
  int64_t offset_bytes = 0;      // into the block; for windows into the sequence's windows

  // Values and gates of tokens that are not pooled yet lie in a ring; both are 0 without pooling.
  int64_t ring_tokens = 0;  // tokens_per_row, twice that where rows overlap
  int64_t columns = 0;      // floats per token of values, and as many of gates

  // Returns how many floats outlive a block's end: values and gates of the last group's first
  // columns, which the next row pools too.
  int64_t overlap_floats() const { return spec.overlaps ? spec.tokens_per_row * columns : 0; }
  int64_t ring_floats() const { return ring_tokens * 2 * columns; }
  bool is_sealed() const { return row_bytes == 0; }
  kernels::RowShape vector_shape() const {
    return {.width = spec.width, .rope_width = spec.rope_width};
  }
  // Rows of the unsealed block, all vectors of one behind each other.
  int64_t full_row_floats() const { return spec.vectors * spec.width; }
  int64_t full_floats() const { return is_sealed() ? kBlockTokens * full_row_floats() : 0; }
  // Rows kept whole: into the first block, vector by vector.
  int64_t whole_offset_bytes = 0;
  int64_t whole_bytes() const { return 2 * spec.whole_rows * full_row_floats(); }
  bool is_in_blocks() const { return spec.reach != Reach::kWindow; }
  bool is_cold() const { return spec.reach == Reach::kPicked; }
};

struct CacheLayout {
  std::vector<StreamLayout> streams;  // layer after layer, in the order of the spec
  int64_t layer_count = 0;

  int64_t hot_bytes = 0;
  int64_t cold_bytes = 0;
  int64_t cold_row_bytes = 0;  // of every picked stream; 0: there is none
  // Of every block but a sequence's first, which has its whole rows besides.
  int64_t block_bytes() const { return hot_bytes + cold_bytes; }
  int64_t whole_bytes = 0;
  int64_t block_bytes_of(int64_t block) const {
    return block_bytes() + (block == 0 ? whole_bytes : 0);
  }
  // Of the first so many blocks.
  int64_t blocks_bytes(int64_t count) const {
    return count * block_bytes() + (count > 0 ? whole_bytes : 0);
  }

  // Returns how many numbers the rows of a block are.
  int64_t block_values() const;

  int64_t window_bytes = 0;  // all rings of rows
  int64_t ring_floats = 0;   // all rings of values and gates, and of rows at full width
  // Returns the bytes that every sequence holds, however short it is.
  int64_t fixed_bytes() const {
    return window_bytes + ring_floats * static_cast<int64_t>(sizeof(float));
  }

  // Returns the bytes of windows and overlaps, which a sequence at a boundary (a multiple of
  // kBlockTokens) needs besides its blocks to go on. 0: its blocks are enough.
  int64_t boundary_state_bytes() const;

  // Returns how many blocks a sequence of that many tokens has begun: 0 for 0 tokens, 1 for 1 to
  // 128, 2 for 129. Always 0 when no stream is in blocks.
  int64_t block_count(int64_t token_count) const {
    return block_bytes() == 0 ? 0 : (token_count + kBlockTokens - 1) / kBlockTokens;
  }

  // Returns the index of the layer's only stream of that kind; -1: it has none.
  int64_t find(int64_t layer, Role role, bool is_window) const;
};

// Lays a spec out. REQUIRES: windows of at least one token; codecs of windows, of pooled and of
// picked rows are row formats; picked rows all take the same bytes.
CacheLayout make_layout(const CacheSpec& spec);

}  // namespace kvasir::kv
