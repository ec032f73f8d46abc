// These structs are the arguments of the steps of an attention layer (ops.h): the rows that a token
// picks, those that it sees, and where the sum over them goes. They own nothing. n: tokens of the
// batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "kernels/codecs/codec.h"
#include "ops/batch.h"
#include "ops/rope.h"
#include "ops/row_steps.h"
#include "ops/view.h"

namespace kvasir::ops {

// Picks are the rows of a stream that an indexer picked for each token, ascending.
struct Picks {
  View<int32_t> rows;             // [n, k], of which counts[t] count
  int32_t* counts = nullptr;      // [n]
  View<const std::byte*> places;  // [n, k] where they lie, once PickedRows brought them
};

// A PickStep scores the index keys that a token sees and picks the k best. A token that sees no
// more than k picks all of them and scores nothing.
struct PickStep {
  const Batch& batch;
  int64_t stream = 0;  // the index keys
  int64_t head_count = 0;
  View<const float> queries;       // [n, heads * dim]; read only where something is scored
  View<const float> head_weights;  // [n, heads]
  // For each thread room for index_queries_at_once tokens: [index_query_bytes] and [rows that a
  // token sees] each.
  std::span<AlignedBuffer<std::byte>> encoded_queries;
  std::span<AlignedBuffer<float>> scores;
  Picks picks;
};

// Returns whether a token of the batch sees more rows than it picks, so that keys have to be
// scored.
bool scores_any_rows(const PickStep& step);

// SeenRows say which cached rows a token attends. First come those of a window, from the oldest on.
// Then come those of another stream, ascending: all or the picked ones, as its reach says.
//
// For example, take a window of 128 tokens and rows of 4 tokens, all attended. The token at
// position 300 sees the window rows of positions 173 to 300 and the 75 rows of positions 0 to 299:
// 203 rows.
struct SeenRows {
  int64_t window_stream = -1;  // -1: there is no window, and row_stream has rows for every token
  // The batch's own rows of the window. They are not in the ring yet: later ones would overwrite
  // what earlier tokens still see. [n, row bytes]
  View<const std::byte> new_rows;
  int64_t row_stream = -1;  // -1: the window is all
  Picks picks;              // of row_stream, where its rows are picked
};

// An AttendStep attends rows each of which is key and value of all heads.
struct AttendStep {
  const Batch& batch;
  SeenRows seen;
  int64_t value_dim = 0;         // the first numbers of a row are its value
  View<const float> queries;     // [n, heads * dim]
  const float* sinks = nullptr;  // [heads]; null: none
  float scale = 1;
  // By token: turns the last values of every head of the sum back. Null: they stay.
  const RopeTable* rope = nullptr;
  View<float> attended;                                  // [n, heads * value_dim]
  std::span<AlignedBuffer<const std::byte*>> row_lists;  // [threads][rows that a token sees]
};

// A KeyRope turns keys that are kept as they were before they were turned, when they are read: each
// by its place in its block, and queries back by where the block begins. So a pass needs the angles
// of one block's places, and of one position for each block.
//
// For example the key at position 300 lies in place 44 of block 2. It is turned by 44 positions,
// and the query at position 310, turned by 310 before, back by 256.
struct KeyRope {
  const RopeTable& places;  // 0 to kBlockTokens - 1
  const RopeTable& blocks;  // block i: i * kBlockTokens, of magnitude 1
  RopePairs pairs = RopePairs::kHalves;
  bool turns_first = false;
};

// A GroupedAttendStep attends keys and values of a stream each, whose vectors belong to groups of
// query heads: of 9 query and 3 key heads, heads 3 to 5 read vector 1. A token sees all rows up to
// its own, or those of the streams' window. Of a sealed stream these are the rows of its own block
// at full width, and those of earlier blocks as they were coded.
struct GroupedAttendStep {
  const Batch& batch;
  int64_t key_stream = 0;
  int64_t value_stream = -1;  // -1: the first value_dim numbers of a key are its value
  int64_t value_dim = 0;
  // The batch's own rows where the streams are windows. [n, row bytes]
  View<const std::byte> new_keys;
  View<const std::byte> new_values;
  // The batch's own rows where the streams are sealed. [n, vectors * width]
  View<const float> full_keys;
  View<const float> full_values;
  const KeyRope* key_rope = nullptr;  // of keys kept before they were turned; null: there is none
  View<const float> queries;          // [n, heads * dim]
  const float* sinks = nullptr;       // [heads]; null: none
  float scale = 1;
  float soft_cap = 0;    // of scores; 0: none
  View<float> attended;  // [n, heads * value_dim]
};

// Returns the floats that a thread needs for attending any layer of a cache so, and for sealing its
// rows. value_dim: of the widest value.
int64_t grouped_scratch_floats(const kv::CacheLayout& layout, int64_t value_dim);

// An AttendGroup is the tokens and heads that one call of a kernel attends for.
struct AttendGroup {
  int64_t piece = 0;
  int64_t first_position = 0;
  int64_t token_count = 0;
  int64_t vector = 0;  // of a key row; several for one token alone
  int64_t vector_count = 1;
  int64_t first_head = 0;  // heads of these vectors
  int64_t head_count = 0;
  int64_t segment_step = 1;  // from a segment to the one that the same thread takes next

  int64_t end_position() const { return first_position + token_count; }
};

class GroupCut;
struct RowList;
struct ListedRows;
struct StreamRows;
struct SegmentRows;
struct GroupScratch;
struct Past;

// A TokenRange is the tokens [begin, end) of a batch.
struct TokenRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// Queries of a group by their place, token after token.
struct QueryRange {
  int64_t begin = 0;
  int64_t end = 0;
};

}  // namespace kvasir::ops
