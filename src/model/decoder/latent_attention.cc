#include <cmath>

#include "kv/rotation.h"
#include "model/decoder/coding_study.h"
#include "model/decoder/pass.h"
#include "model/pass_steps.h"
#include "ops/picked_rows.h"

namespace kvasir::model::decoder {
namespace {

using ops::View;

// Whatever eps a config states for the other norms.
constexpr float kLatentEps = 1e-6f;

void norm_latent(Pass& pass, const NormWeights& norm, View<float> x) {
  pass.ops.norm({.weight = norm.weight.data(), .eps = kLatentEps}, x, x);
}

// Returns the new latents. [n, rank + rope]
View<float> new_latents(Pass& pass, const LatentWeights& weights, View<const float> input) {
  const LatentConfig& latent = pass.config.latent;
  const int64_t width = latent.rank + latent.rope_dim;
  const auto row = pass.view(pass.work.key, width);
  project(pass, weights.row, input, row);
  norm_latent(pass, weights.row_norm, row.columns(0, latent.rank));
  pass.ops.rope_heads({.heads = row,
                       .head_dim = width,
                       .rope = pass.ropes.front(),
                       .pairs = pass.config.rope_pairs});
  return row;
}

// What queries are made of: the input, or a vector of a rank of its own.
View<const float> query_source(Pass& pass, const LatentWeights& weights, View<const float> input) {
  if (weights.query_a.parts.empty()) return input;
  const auto rank = pass.view(pass.work.query_rank, pass.config.latent.query_rank);
  project(pass, weights.query_a, input, rank);
  norm_latent(pass, weights.query_norm, rank);
  return rank;
}

// Queries to the latents, and their turned part.
View<float> latent_queries(Pass& pass, const LatentWeights& weights, View<const float> source) {
  const Config& config = pass.config;
  const LatentConfig& latent = config.latent;
  const int64_t width = latent.rank + latent.rope_dim;
  const auto head_query = pass.view(pass.work.head_query, config.head_count * config.head_dim);
  project(pass, weights.query, source, head_query);
  pass.ops.rope_heads({.heads = head_query,
                       .head_dim = config.head_dim,
                       .rope = pass.ropes.front(),
                       .pairs = config.rope_pairs});
  const auto query = pass.view(pass.work.query, config.head_count * width);
  for (int64_t head = 0; head < config.head_count; ++head) {
    const auto whole = head_query.columns(head * config.head_dim, config.head_dim);
    const auto target = query.columns(head * width, width);
    pass.ops.matmul(weights.key_up[static_cast<size_t>(head)], whole.columns(0, latent.plain_dim),
                    target.columns(0, latent.rank));
    pass.ops.copy(whole.columns(latent.plain_dim, latent.rope_dim),
                  target.columns(latent.rank, latent.rope_dim));
  }
  return query;
}

void turn_index_heads(Pass& pass, View<float> heads) {
  const IndexerConfig& indexer = pass.config.indexer;
  pass.ops.rope_heads({.heads = heads,
                       .head_dim = indexer.head_dim,
                       .rope = pass.ropes.front(),
                       .pairs = indexer.rope_pairs,
                       .turns_first = true});
}

void write_index_key(Pass& pass, int64_t stream, const IndexerWeights& weights,
                     View<const float> input) {
  const auto key = pass.view(pass.index_work.key, pass.config.indexer.head_dim);
  project(pass, weights.key, input, key);
  pass.ops.norm({.kind = ops::NormKind::kLayer,
                 .weight = weights.key_norm.weight.data(),
                 .bias = weights.key_norm.bias.data(),
                 .eps = kLatentEps},
                key, key);
  turn_index_heads(pass, key);
  pass.ops.write_rows({.batch = pass.batch, .stream = stream, .rows = key, .encoded = {}});
}

// Writes the pass's index keys, then which rows each of its tokens attends. A layer without an
// indexer leaves there what the layer before it picked.
void pick_rows(Pass& pass, int64_t layer, const IndexerWeights& weights, View<const float> input,
               View<const float> source) {
  const int64_t stream = pass.streams[static_cast<size_t>(layer)].index_keys;
  if (stream < 0) return;
  const IndexerConfig& indexer = pass.config.indexer;
  IndexWorkspace& work = pass.index_work;
  write_index_key(pass, stream, weights, input);
  const auto query = pass.view(work.query, indexer.head_count * indexer.head_dim);
  const auto head_weights = pass.view(work.head_weights, indexer.head_count);
  const ops::PickStep step{.batch = pass.batch,
                           .stream = stream,
                           .head_count = indexer.head_count,
                           .queries = query,
                           .head_weights = head_weights,
                           .encoded_queries = work.encoded_queries,
                           .scores = work.scores,
                           .picks = work.picks(pass.token_count())};
  if (ops::scores_any_rows(step)) {
    project(pass, weights.query, source, query);
    project(pass, weights.head_weights, input, head_weights);
    turn_index_heads(pass, query);
    pass.ops.scale(head_weights, 1 / std::sqrt(static_cast<float>(indexer.head_dim)) /
                                     std::sqrt(static_cast<float>(indexer.head_count)));
  }
  pass.ops.pick_rows(step);
  report_picks(pass.on_picks, layer, pass.batch, step.picks);
}

// Attends all latents.
Status attend_all(Pass& pass, int64_t layer, const HeadStep& step, View<float> head_value) {
  if (pass.coding_study != nullptr) pass.coding_study->remember(pass, step.heads);
  KVASIR_RETURN_IF_ERROR(
      report_rows(pass, layer, step.streams.keys, RowKind::kLatents, step.heads.key));
  enter_latents(pass, step);
  attend_latents(pass, step);
  keep_heads(pass, step);
  pass.ops.matmul_groups(step.weights.latent.value_up, step.attended, head_value);
  if (pass.coding_study == nullptr) return ok_status();
  return pass.coding_study->measure(pass, layer, step, head_value);
}

// Attends the picked ones, as they come into memory.
Status attend_picked(Pass& pass, int64_t stream, ops::PickedRows& rows, View<const float> query,
                     View<float> attended) {
  const ops::AttendStep step{
      .batch = pass.batch,
      .seen = {.row_stream = stream, .picks = pass.index_work.picks(pass.token_count())},
      .value_dim = pass.config.latent.rank,
      .queries = query,
      .scale = static_cast<float>(pass.config.score_scale),
      .attended = attended,
      .row_lists = pass.index_work.row_lists};
  while (true) {
    KVASIR_ASSIGN_OR_RETURN(const ops::TokenRange ready, rows.next());
    if (ready.begin == ready.end) return ok_status();
    pass.ops.attend(step, ready);
  }
}

}  // namespace

void enter_latents(Pass& pass, const HeadStep& step) {
  const kv::Stream& spec = pass.batch.stream(step.streams.keys).spec;
  pass.ops.rotate_heads(spec.rotation, kv::rotation_block(spec), step.heads.key, spec.width);
  write_rows(pass, step.streams.keys, step.heads.key, {});
}

// A rotation keeps within blocks that divide the rank, so that sums of latents can be turned back.
void attend_latents(Pass& pass, const HeadStep& step) {
  const kv::Stream& spec = pass.batch.stream(step.streams.keys).spec;
  const int64_t block = kv::rotation_block(spec);
  const int64_t rank = pass.config.latent.rank;
  pass.ops.rotate_heads(spec.rotation, block, step.heads.query, spec.width);
  pass.ops.attend_grouped({.batch = pass.batch,
                           .key_stream = step.streams.keys,
                           .value_dim = rank,
                           .full_keys = step.heads.key,
                           .queries = step.heads.query,
                           .scale = static_cast<float>(pass.config.score_scale),
                           .attended = step.attended});
  pass.ops.rotate_heads_back(spec.rotation, block, step.attended, rank);
}

// Queries go to the latents: q'_h = K_h^T q_h, and sums of latents to the values: o_h = V_h u_h. So
// one row is key and value of all heads, however many tokens a pass has.
Status run_latent_attention(Pass& pass, int64_t layer, const AttentionWeights& weights,
                            View<const float> input, View<float> output) {
  const Config& config = pass.config;
  const LatentWeights& parts = weights.latent;
  const LayerStreams& streams = pass.streams[static_cast<size_t>(layer)];
  const auto attended = pass.view(pass.work.attended, config.head_count * config.latent.rank);
  const auto head_value =
      pass.view(pass.work.head_value, config.head_count * config.latent.value_dim);
  const View<float> latents = new_latents(pass, parts, input);
  const View<const float> source = query_source(pass, parts, input);
  if (config.has_indexer()) {
    write_rows(pass, streams.keys, latents, {});
    pick_rows(pass, layer, weights.indexer, input, source);
    // Reads what is not in memory while the queries are computed.
    ops::PickedRows rows(pass.batch, streams.keys, pass.index_work.picks(pass.token_count()),
                         pass.row_cache);
    const View<float> query = latent_queries(pass, parts, source);
    KVASIR_RETURN_IF_ERROR(attend_picked(pass, streams.keys, rows, query, attended));
    pass.ops.matmul_groups(parts.value_up, attended, head_value);
  } else {
    const Heads heads{.query = latent_queries(pass, parts, source), .key = latents, .value = {}};
    KVASIR_RETURN_IF_ERROR(attend_all(
        pass, layer, {.streams = streams, .weights = weights, .heads = heads, .attended = attended},
        head_value));
  }
  project(pass, weights.output, head_value, output);
  return ok_status();
}

}  // namespace kvasir::model::decoder
