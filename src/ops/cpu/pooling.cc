#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

// Tokens that one row may be pooled of.
constexpr int64_t kEntriesMax = 128;

void check_shapes(const PoolStep& step) {
  const int64_t n = step.batch.token_count();
  const kv::StreamLayout& stream = step.batch.stream(step.stream);
  KVASIR_CHECK(stream.ring_tokens > 0 && stream.ring_tokens <= kEntriesMax &&
                   stream.spec.tokens_per_row == step.rows.tokens_per_row(),
               "a stream whose rows are pooled of so many tokens");
  KVASIR_CHECK(step.values.has_shape(n, stream.columns) && step.gates.has_shape(n, stream.columns),
               "shapes of values and gates");
}

}  // namespace

void Ops::add_position_bias(const Batch& batch, int64_t tokens_per_row, const float* bias,
                            View<float> gates) {
  KVASIR_CHECK(gates.rows == batch.token_count(), "gates of every token");
  for_each_token(gates.rows, [&](int64_t t, int) {
    const float* added = bias + batch.token(t).position % tokens_per_row * gates.cols;
    float* gate = gates.row(t);
    for (int64_t i = 0; i < gates.cols; ++i) gate[i] += added[i];
  });
}

void Ops::pool_rows(const PoolStep& step) {
  check_shapes(step);
  KVASIR_CHECK(step.batch.stream(step.stream).spec.width <= scratch_floats_,
               "the scratch memory was sized for a pooled row");
  const PartScope scope(clock_, PassPart::kRows);
  const std::span<const PooledRow> rows = step.rows.rows();
  pool_.parallel_for(std::ssize(rows), [&](int64_t index, int worker) {
    float* pooled = scratch(worker);
    pool_row(step, rows[static_cast<size_t>(index)], pooled);
    write_pooled(step, rows[static_cast<size_t>(index)], pooled);
  });
}

void Ops::pool_row(const PoolStep& step, const PooledRow& row, float* pooled) const {
  const BatchPiece& piece = step.batch.piece(row.piece);
  const kv::PoolingRing ring = piece.sequence->ring(step.stream);
  const kv::Stream& spec = step.batch.stream(step.stream).spec;
  const float* values[kEntriesMax];
  const float* gates[kEntriesMax];
  int64_t entry_count = 0;

  const int64_t group_begin = row.row * spec.tokens_per_row;
  const int64_t begin =
      spec.overlaps ? std::max<int64_t>(0, group_begin - spec.tokens_per_row) : group_begin;
  for (int64_t position = begin; position < group_begin + spec.tokens_per_row; ++position) {
    const int64_t column = spec.overlaps && position >= group_begin ? spec.width : 0;
    const bool is_new = position >= piece.first_position;
    const int64_t token = piece.token_at(position);
    values[entry_count] = (is_new ? step.values.row(token) : ring.values_of(position)) + column;
    gates[entry_count] = (is_new ? step.gates.row(token) : ring.gates_of(position)) + column;
    ++entry_count;
  }
  table_.pool({.values = values,
               .gates = gates,
               .entry_count = entry_count,
               .width = spec.width,
               .out = pooled});
}

void Ops::write_pooled(const PoolStep& step, const PooledRow& row, float* pooled) const {
  kv::Sequence& sequence = *step.batch.piece(row.piece).sequence;
  const kv::StreamLayout& stream = step.batch.stream(step.stream);
  const int64_t width = stream.spec.width;
  const RopeTable& rope = step.rows.rope();
  std::byte* target = sequence.writable_row(step.stream, row.row);
  table_.rms_norm(pooled, step.norm, step.eps, width, pooled);
  table_.rope(pooled + width - rope.dim(), rope.cos(row.rope_index), rope.sin(row.rope_index),
              rope.dim());
  if (stream.spec.role == kv::Role::kIndexKeys) {
    table_.hadamard(pooled, width);
    kernels::encode_row(stream.format, pooled, target);
  } else {
    table_.encode_row(stream.format, pooled, target);
  }
}

void Ops::write_pending(const PoolStep& step) {
  check_shapes(step);
  const PartScope scope(clock_, PassPart::kRows);
  const auto bytes = static_cast<size_t>(step.values.cols) * sizeof(float);
  for (const BatchPiece& piece : step.batch.pieces()) {
    const kv::PoolingRing ring = piece.sequence->ring(step.stream);
    const int64_t end = piece.end_position();
    for (int64_t position = std::max(piece.first_position, end - ring.ring_tokens); position < end;
         ++position) {
      const int64_t token = piece.token_at(position);
      std::memcpy(ring.values_of(position), step.values.row(token), bytes);
      std::memcpy(ring.gates_of(position), step.gates.row(token), bytes);
    }
  }
}

}  // namespace kvasir::ops
