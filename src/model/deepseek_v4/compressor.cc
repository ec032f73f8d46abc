#include "model/deepseek_v4/compressor.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "model/deepseek_v4/geometry.h"

namespace kvasir::model::deepseek_v4 {

Compressor::Compressor(Pass& pass, int64_t layer, Target target, const CompressorWeights& weights)
    : pass_(pass),
      stream_(target == Target::kRows ? pass.geometry.of(layer).rows
                                      : pass.geometry.of(layer).keys),
      kind_(pass.config.layers[static_cast<size_t>(layer)]),
      target_(target),
      weights_(weights),
      ratio_(ratio_of(kind_)),
      halves_(kind_ == LayerKind::kCsa ? 2 : 1),
      width_(target == Target::kRows ? pass.config.head_dim : pass.config.index_head_dim) {
  KVASIR_CHECK(is_compressed(kind_) && stream_ >= 0, "window layers have no compressor");
}

void Compressor::run() {
  project();
  const auto rows = pass_.batch.completed_rows(kind_);
  pass_.compute.parallel_for(std::ssize(rows), [&](int64_t index, int worker) {
    float* pooled = pass_.compute.scratch(worker);
    pool(rows[static_cast<size_t>(index)], pooled);
    write_row(rows[static_cast<size_t>(index)], pooled);
  });
  for (int64_t piece = 0; piece < std::ssize(pass_.batch.pieces()); ++piece) {
    keep_newest(piece);
  }
}

void Compressor::project() {
  Workspace& work = pass_.work;
  const int64_t n = pass_.batch.token_count();
  pass_.compute.matmul(weights_.values, work.input.data(), n, work.values.data());
  pass_.compute.matmul(weights_.gates, work.input.data(), n, work.gates.data());
  pass_.compute.for_each_token(n, [&](int64_t t, int) {
    const int64_t slot = pass_.batch.token(t).position % ratio_;
    const float* bias = &weights_.position_bias[static_cast<size_t>(slot * columns())];
    float* gate = &work.gates[t * columns()];
    for (int64_t i = 0; i < columns(); ++i) gate[i] += bias[i];
  });
}

void Compressor::pool(const BatchRow& row, float* pooled) {
  const kv::PoolingRing ring = ring_of(row.piece);
  const int64_t first_token = pass_.batch.first_token(row.piece);
  const int64_t first_position = pass_.batch.first_position(row.piece);
  const float* values[kHcaRatio];
  const float* gates[kHcaRatio];
  static_assert(2 * kCsaRatio <= kHcaRatio);
  int64_t entry_count = 0;

  const int64_t group_begin = row.row * ratio_;
  const int64_t begin = std::max<int64_t>(0, group_begin - (halves_ - 1) * ratio_);
  for (int64_t position = begin; position < group_begin + ratio_; ++position) {
    // The previous group counts through the first half of the columns, a row's own group through
    // the last.
    const int64_t column = position < group_begin ? 0 : (halves_ - 1) * width_;
    const bool is_new = position >= first_position;
    const int64_t token = (first_token + position - first_position) * columns();
    values[entry_count] = (is_new ? &pass_.work.values[token] : ring.values_of(position)) + column;
    gates[entry_count] = (is_new ? &pass_.work.gates[token] : ring.gates_of(position)) + column;
    ++entry_count;
  }
  pass_.compute.table().pool({.values = values,
                              .gates = gates,
                              .entry_count = entry_count,
                              .width = width_,
                              .out = pooled});
}

void Compressor::write_row(const BatchRow& row, float* pooled) {
  const kernels::KernelTable& table = pass_.compute.table();
  const int64_t rope_dim = pass_.config.rope_dim;
  const RopeTable& rope = pass_.batch.row_rope(kind_);
  kv::Sequence& sequence = *pass_.batch.piece(row.piece).sequence;

  table.rms_norm(pooled, weights_.norm.data(), pass_.config.norm_eps, width_, pooled);
  table.rope(pooled + width_ - rope_dim, rope.cos(row.rope_index), rope.sin(row.rope_index),
             rope_dim);
  if (target_ == Target::kRows) {
    table.encode_row(pass_.geometry.row, pooled, sequence.writable_row(stream_, row.row));
  } else {
    table.hadamard(pooled, width_);
    kernels::encode_row(pass_.geometry.key, pooled, sequence.writable_row(stream_, row.row));
  }
}

void Compressor::keep_newest(int64_t piece) {
  const kv::PoolingRing ring = ring_of(piece);
  const int64_t first_token = pass_.batch.first_token(piece);
  const int64_t start = pass_.batch.first_position(piece);
  const int64_t end = start + std::ssize(pass_.batch.piece(piece).tokens);
  const auto bytes = static_cast<size_t>(columns()) * sizeof(float);
  for (int64_t position = std::max(start, end - ring.ring_tokens); position < end; ++position) {
    const int64_t token = (first_token + position - start) * columns();
    std::memcpy(ring.values_of(position), &pass_.work.values[token], bytes);
    std::memcpy(ring.gates_of(position), &pass_.work.gates[token], bytes);
  }
}

kv::PoolingRing Compressor::ring_of(int64_t piece) const {
  return pass_.batch.piece(piece).sequence->ring(stream_);
}

}  // namespace kvasir::model::deepseek_v4
