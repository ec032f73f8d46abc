// A CacheLayout says where everything lies that a CacheSpec names. Allocator, forward pass, planner
// and file format read their byte counts and offsets here and have no arithmetic of their own.
// Plain values, immutable once made.
//
// A block holds the rows of kBlockTokens consecutive tokens of all streams with reach kAll or
// kPicked:
//   hot part:  index keys of every layer, then the other rows that are all attended,
//   cold part: the rows that are picked,
// each layer after layer and without gaps, so that either part is one contiguous read.
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
  kernels::RowFormat format;  // of one vector
  int64_t row_bytes = 0;      // of all its vectors, where rows stand alone

  int64_t rows_per_block = 0;   // 0 for windows
  int64_t bytes_per_block = 0;  // 0 for windows
  int64_t offset_bytes = 0;     // into the block; for windows into the sequence's windows

  // Values and gates of tokens that are not pooled yet lie in a ring; both are 0 without pooling.
  int64_t ring_tokens = 0;  // tokens_per_row, twice that where rows overlap
  int64_t columns = 0;      // floats per token of values, and as many of gates

  // Returns how many floats outlive a block's end: values and gates of the last group's first
  // columns, which the next row pools too.
  int64_t overlap_floats() const { return spec.overlaps ? spec.tokens_per_row * columns : 0; }
  int64_t ring_floats() const { return ring_tokens * 2 * columns; }
  bool is_in_blocks() const { return spec.reach != Reach::kWindow; }
  bool is_cold() const { return spec.reach == Reach::kPicked; }
};

struct CacheLayout {
  std::vector<StreamLayout> streams;  // layer after layer, in the order of the spec
  int64_t layer_count = 0;

  int64_t hot_bytes = 0;
  int64_t cold_bytes = 0;
  int64_t cold_row_bytes = 0;  // of every picked stream; 0: there is none
  int64_t block_bytes() const { return hot_bytes + cold_bytes; }

  int64_t window_bytes = 0;  // all rings of rows
  int64_t ring_floats = 0;   // all rings of values and gates
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

// Lays a spec out. REQUIRES: windows of at least one token; codecs of windows and of picked rows
// take rows one by one; picked rows all take the same bytes.
CacheLayout make_layout(const CacheSpec& spec);

}  // namespace kvasir::kv
