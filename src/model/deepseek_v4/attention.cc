#include "model/deepseek_v4/attention.h"

#include <cmath>

#include "base/check.h"
#include "model/deepseek_v4/compressor.h"
#include "model/deepseek_v4/indexer.h"
#include "ops/picked_rows.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using ops::View;
using ops::view_of;

// The pass's buffers as this part sees them.
struct Views {
  View<float> input;         // [n, D]
  View<float> query_rank;    // [n, Rq]
  View<float> query;         // [n, H * d]
  View<float> row;           // [n, d]
  View<std::byte> raw_rows;  // [n, row bytes]
  View<float> attended;      // [n, H * d]
  View<float> grouped;       // [n, G * Ro]
  View<float> output;        // [n, D]
};

Views views_of(Pass& pass) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const int64_t n = pass.token_count();
  return {.input = view_of(work.input, n, config.hidden_size),
          .query_rank = view_of(work.query_rank, n, config.query_rank),
          .query = view_of(work.query, n, config.head_count * config.head_dim),
          .row = view_of(work.row, n, config.head_dim),
          .raw_rows = view_of(work.raw_rows, n, pass.geometry.row.bytes()),
          .attended = view_of(work.attended, n, config.head_count * config.head_dim),
          .grouped = view_of(work.grouped, n, config.output_group_count * config.output_rank),
          .output = view_of(work.output, n, config.hidden_size)};
}

// Vectors go on as bare pointers; matrices bring their shapes along.
void check_vectors(const Config& config, const AttentionWeights& weights) {
  KVASIR_CHECK(std::ssize(weights.query_norm) == config.query_rank &&
                   std::ssize(weights.row_norm) == config.head_dim,
               "norms as wide as what they weigh");
  KVASIR_CHECK(std::ssize(weights.sinks) == config.head_count, "a sink for each head");
}

// Queries and raw rows, points 1 and 2.
void project(Pass& pass, const ops::RopeTable& rope, const AttentionWeights& weights,
             const Views& views) {
  const Config& config = pass.config;
  pass.ops.matmul(weights.query_b, views.query_rank, views.query);
  pass.ops.matmul(weights.row, views.input, views.row);
  pass.ops.norm_rope_heads({.heads = views.query, .head_dim = config.head_dim, .rope = rope},
                           nullptr, config.norm_eps);
  pass.ops.encode_rows({.rows = views.row,
                        .norm = weights.row_norm.data(),
                        .eps = config.norm_eps,
                        .rope = rope,
                        .format = pass.geometry.row,
                        .encoded = views.raw_rows});
}

// The compressed rows that the tokens of a layer see, if the study lets them; else -1.
int64_t visible_stream(const Pass& pass, int64_t layer, LayerKind kind) {
  const bool is_hidden =
      kind == LayerKind::kCsa ? !pass.visible_rows.picked : !pass.visible_rows.unpicked;
  return is_hidden ? -1 : pass.geometry.of(layer).rows;
}

}  // namespace

// The points are those of docs/deepseek_v4.md section 3.
Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights) {
  check_vectors(pass.config, weights);
  ops::Ops& ops = pass.ops;
  const LayerKind kind = pass.config.layers[static_cast<size_t>(layer)];
  const LayerStreams& streams = pass.geometry.of(layer);
  const ops::Batch& tokens = pass.batch.tokens;
  const ops::RopeTable& rope = pass.batch.token_rope(kind);
  const Views views = views_of(pass);

  // Point 1, its first half: what the indexer needs of the queries.
  ops.matmul(weights.query_a, views.input, views.query_rank);
  ops.rms_norm(views.query_rank, weights.query_norm.data(), pass.config.norm_eps);
  if (is_compressed(kind)) compress(pass, kind, streams.rows, weights.compressor);
  if (kind == LayerKind::kCsa) pick_rows(pass, layer, weights.indexer);

  // Reads what is not in memory while the queries are computed.
  const int64_t row_stream = visible_stream(pass, layer, kind);
  ops::PickedRows rows(tokens, row_stream, pass.picks(), pass.row_cache);
  project(pass, rope, weights, views);

  // Points 3 to 5.
  const ops::AttendStep attend{.batch = tokens,
                               .seen = {.window_stream = streams.window,
                                        .new_rows = views.raw_rows,
                                        .row_stream = row_stream,
                                        .picks = pass.picks()},
                               .value_dim = pass.config.head_dim,
                               .queries = views.query,
                               .sinks = weights.sinks.data(),
                               .scale = 1 / std::sqrt(static_cast<float>(pass.config.head_dim)),
                               .rope = &rope,
                               .attended = views.attended,
                               .row_lists = pass.work.visible};
  while (true) {
    KVASIR_ASSIGN_OR_RETURN(const ops::TokenRange ready, rows.next());
    if (ready.begin == ready.end) break;
    ops.attend(attend, ready);
  }

  // Point 6.
  ops.matmul_groups(weights.output_a, views.attended, views.grouped);
  ops.matmul(weights.output_b, views.grouped, views.output);
  ops.write_windows(tokens, streams.window, views.raw_rows);
  return ok_status();
}

}  // namespace kvasir::model::deepseek_v4
