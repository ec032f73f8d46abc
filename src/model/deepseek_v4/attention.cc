#include "model/deepseek_v4/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/deepseek_v4/compressor.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/indexer.h"
#include "model/deepseek_v4/picked_rows.h"

namespace kvasir::model::deepseek_v4 {
namespace {

// The points are those of docs/deepseek_v4.md section 3. Point 1, its first half: what the indexer
// needs of the queries, into work.query_rank.
void project_query_rank(Pass& pass, const AttentionWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const int64_t n = pass.batch.token_count();
  pass.compute.matmul(weights.query_a, work.input.data(), n, work.query_rank.data());
  pass.compute.for_each_token(n, [&](int64_t t, int) {
    float* query_rank = &work.query_rank[t * config.query_rank];
    pass.compute.table().rms_norm(query_rank, weights.query_norm.data(), config.norm_eps,
                                  config.query_rank, query_rank);
  });
}

// Points 1 and 2: queries into work.query, raw rows (still float32) into work.row, encoded into
// work.raw_rows.
void project(Pass& pass, LayerKind kind, const AttentionWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const int64_t n = pass.batch.token_count();
  const int64_t d = config.head_dim;
  const int64_t r = config.rope_dim;

  pass.compute.matmul(weights.query_b, work.query_rank.data(), n, work.query.data());
  pass.compute.matmul(weights.row, work.input.data(), n, work.row.data());

  const RopeTable& rope = pass.batch.token_rope(kind);
  pass.compute.for_each_token(n, [&](int64_t t, int) {
    for (int64_t head = 0; head < config.head_count; ++head) {
      float* query = &work.query[(t * config.head_count + head) * d];
      table.rms_norm(query, nullptr, config.norm_eps, d, query);
      table.rope(query + d - r, rope.cos(t), rope.sin(t), r);
    }
    float* row = &work.row[t * d];
    table.rms_norm(row, weights.row_norm.data(), config.norm_eps, d, row);
    table.rope(row + d - r, rope.cos(t), rope.sin(t), r);
    table.encode_row(pass.geometry.row, row, &work.raw_rows[t * pass.geometry.row.bytes()]);
  });
}

// Point 3: the rows a token sees, raw ones from the oldest on, then compressed ones ascending.
int64_t list_visible(const Pass& pass, int64_t layer, LayerKind kind, int64_t token,
                     const std::byte** rows) {
  const Batch& batch = pass.batch;
  const kv::Sequence& sequence = batch.sequence_of(token);
  const LayerStreams& streams = pass.geometry.of(layer);
  const int64_t position = batch.token(token).position;
  const int64_t first_position = batch.first_position(batch.token(token).piece);
  int64_t count = 0;
  for (int64_t p = std::max<int64_t>(0, position - pass.config.window + 1); p <= position; ++p) {
    // Rows of this pass are not in the ring yet: later ones would overwrite what earlier tokens
    // still see.
    rows[count++] = p < first_position
                        ? sequence.window_row(streams.window, p)
                        : &pass.work.raw_rows[(token - (position - p)) * pass.geometry.row.bytes()];
  }
  if (kind == LayerKind::kCsa && pass.visible_rows.picked) {
    const int32_t* picked = &pass.work.picked[token * pass.config.index_top_k];
    const int32_t picked_count = pass.work.picked_count[token];
    if (sequence.hot_part_count() > 0) {
      std::copy_n(&pass.work.picked_rows[token * pass.config.index_top_k], picked_count,
                  rows + count);
      return count + picked_count;
    }
    for (int32_t i = 0; i < picked_count; ++i)
      rows[count++] = sequence.row(streams.rows, picked[i]);
  } else if (kind == LayerKind::kHca && pass.visible_rows.unpicked) {
    for (int64_t row = 0; row < (position + 1) / kHcaRatio; ++row) {
      rows[count++] = sequence.row(streams.rows, row);
    }
  }
  return count;
}

// Points 4 and 5 for some heads of one token: work.query -> work.attended.
void attend_heads(Pass& pass, int64_t layer, const AttentionWeights& weights, int64_t token,
                  int64_t head_begin, int64_t head_end, int worker) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const LayerKind kind = config.layers[static_cast<size_t>(layer)];
  const int64_t d = config.head_dim;
  const int64_t r = config.rope_dim;
  const std::byte** rows = work.visible[static_cast<size_t>(worker)].data();
  float* attended = &work.attended[token * config.head_count * d];

  table.attend({.format = pass.geometry.row,
                .rows = rows,
                .row_count = list_visible(pass, layer, kind, token, rows),
                .q = &work.query[token * config.head_count * d],
                .sinks = weights.sinks.data(),
                .scale = 1.0f / std::sqrt(static_cast<float>(d)),
                .out = attended,
                .scratch = pass.compute.scratch(worker)},
               head_begin, head_end);
  const RopeTable& rope = pass.batch.token_rope(kind);
  for (int64_t head = head_begin; head < head_end; ++head) {
    table.rope(attended + (head + 1) * d - r, rope.cos(token), rope.negated_sin(token), r);
  }
}

void attend(Pass& pass, int64_t layer, const AttentionWeights& weights, const TokenRange& tokens) {
  const int64_t n = tokens.end - tokens.begin;
  const int64_t heads = pass.config.head_count;
  const int64_t threads = pass.compute.thread_count();
  // With fewer tokens than threads the heads of a token are shared out.
  const int64_t parts = n >= threads ? 1 : std::min(heads, (threads + n - 1) / n);
  pass.compute.parallel_for(n * parts, [&](int64_t task, int worker) {
    const int64_t part = task % parts;
    attend_heads(pass, layer, weights, tokens.begin + task / parts, heads * part / parts,
                 heads * (part + 1) / parts, worker);
  });
}

// Point 6: work.attended -> work.output.
void project_output(Pass& pass, const AttentionWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const int64_t n = pass.batch.token_count();
  const int64_t group_columns = config.head_count * config.head_dim / config.output_group_count;
  for (int64_t group = 0; group < config.output_group_count; ++group) {
    pass.compute.matmul({.weight = weights.output_a[static_cast<size_t>(group)],
                         .x = work.attended.data() + group * group_columns,
                         .x_stride = config.head_count * config.head_dim,
                         .y = work.grouped.data() + group * config.output_rank,
                         .y_stride = config.output_group_count * config.output_rank,
                         .token_count = n});
  }
  pass.compute.matmul(weights.output_b, work.grouped.data(), n, work.output.data());
}

// The newest rows of every piece enter the raw window.
void keep_raw_rows(Pass& pass, int64_t layer) {
  const Batch& batch = pass.batch;
  const auto row_bytes = static_cast<size_t>(pass.geometry.row.bytes());
  const int64_t window = pass.geometry.of(layer).window;
  for (int64_t s = 0; s < std::ssize(batch.pieces()); ++s) {
    const int64_t token_count = std::ssize(batch.piece(s).tokens);
    const int64_t kept = std::min(token_count, pass.config.window);
    for (int64_t i = token_count - kept; i < token_count; ++i) {
      const int64_t token = batch.first_token(s) + i;
      std::memcpy(batch.piece(s).sequence->window_row(window, batch.token(token).position),
                  &pass.work.raw_rows[token * static_cast<int64_t>(row_bytes)], row_bytes);
    }
  }
}

}  // namespace

Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights) {
  const LayerKind kind = pass.config.layers[static_cast<size_t>(layer)];
  project_query_rank(pass, weights);
  if (is_compressed(kind)) {
    Compressor(pass, layer, Compressor::Target::kRows, weights.compressor).run();
  }
  if (kind == LayerKind::kCsa) pick_rows(pass, layer, weights.indexer);
  // Reads what is not in memory while the queries are computed.
  PickedRows rows(pass, layer);
  project(pass, kind, weights);
  while (true) {
    KVASIR_ASSIGN_OR_RETURN(const TokenRange tokens, rows.next());
    if (tokens.begin == tokens.end) break;
    attend(pass, layer, weights, tokens);
  }
  project_output(pass, weights);
  keep_raw_rows(pass, layer);
  return ok_status();
}

}  // namespace kvasir::model::deepseek_v4
