// These structs are the arguments of the steps on rows and heads of a batch (ops.h). They own
// nothing. n: tokens of the batch.
#pragma once

#include <cstdint>

#include "kernels/codecs/codec.h"
#include "ops/batch.h"
#include "ops/rope.h"
#include "ops/view.h"

namespace kvasir::ops {

// A Norm divides a row by its length. A layer norm takes the mean away before.
enum class NormKind : uint8_t { kRms, kLayer };
struct Norm {
  NormKind kind = NormKind::kRms;
  const float* weight = nullptr;  // [cols]
  const float* bias = nullptr;    // [cols]; null: none. Of layer norms.
  float eps = 0;
};

// RopePairs says which two values of the turned part of a head make a pair.
enum class RopePairs : uint8_t {
  kAdjacent,  // (0, 1), (2, 3), ...
  kHalves,    // (0, r / 2), (1, r / 2 + 1), ...
};

// A HeadsStep takes heads that lie back to back in a token's row.
struct HeadsStep {
  View<float> heads;  // [n, heads * head_dim], in place
  int64_t head_dim = 0;
  const RopeTable& rope;  // by token; turns the last values of a head
  RopePairs pairs = RopePairs::kAdjacent;
  bool turns_first = false;  // the first values instead. Both: of rope_heads alone
};

// A WriteRowsStep takes the batch's rows of a stream in blocks or of a window.
struct WriteRowsStep {
  const Batch& batch;
  int64_t stream = 0;
  View<const float> rows;   // [n, vectors * width]
  View<std::byte> encoded;  // [n, row bytes] of a window; not touched for blocks
};

// A SealStep takes the batch's rows of a sealed stream, at full width.
struct SealStep {
  const Batch& batch;
  int64_t stream = 0;
  View<const float> rows;  // [n, vectors * width]
};

// An EncodeStep takes rows to be cached: they are normalised, turned, then encoded.
struct EncodeStep {
  View<float> rows;             // [n, dim], in place
  const float* norm = nullptr;  // [dim]
  float eps = 0;
  const RopeTable& rope;  // by token; turns the last values of a row
  const kernels::RowFormat& format;
  View<std::byte> encoded;  // [n, format.bytes()]
};

// A PoolStep pools groups of tokens into a row of a stream each. A group's tokens come from this
// batch or, where the group began earlier, from the sequence's ring; the entries and their order
// are the same either way. Where rows overlap, the group before counts too, through the first half
// of the columns; a row's own group counts through the second. Index keys take the Hadamard
// transform.
struct PoolStep {
  const Batch& batch;
  const PooledRows& rows;
  int64_t stream = 0;           // of the layout; takes the rows
  View<const float> values;     // [n, columns of the stream]
  View<const float> gates;      // [n, columns of the stream], position bias added
  const float* norm = nullptr;  // [width of the stream]
  float eps = 0;
};

}  // namespace kvasir::ops
