#include "model/deepseek_v4/indexer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kv/index_scan.h"
#include "model/deepseek_v4/compressor.h"

namespace kvasir::model {
namespace {

int64_t complete_rows(const Context& context, int64_t token) {
  return (context.batch.token(token).position + 1) / kCsaRatio;
}

void pick_all(Context& context, int64_t token) {
  const int64_t count = complete_rows(context, token);
  int32_t* picked = &context.work.picked[token * context.config.index_top_k];
  std::iota(picked, picked + count, 0);
  context.work.picked_count[token] = static_cast<int32_t>(count);
}

// Index queries and head weights of all tokens.
void project_queries(Context& context, const IndexerWeights& weights) {
  const ModelConfig& config = context.config;
  Workspace& work = context.work;
  const kernels::KernelTable& table = context.compute.table();
  const int64_t n = context.batch.token_count();
  const int64_t heads = config.index_head_count;
  const int64_t dim = config.index_head_dim;
  const float weight_scale =
      1.0f / std::sqrt(static_cast<float>(dim)) / std::sqrt(static_cast<float>(heads));

  context.compute.matmul(weights.query, work.query_rank.data(), n, work.index_query.data());
  context.compute.matmul(weights.head_weights, work.input.data(), n,
                         work.index_head_weights.data());
  const RopeTable& rope = context.batch.token_rope(LayerKind::kCsa);
  context.compute.for_each_token(n, [&](int64_t t, int) {
    for (int64_t head = 0; head < heads; ++head) {
      float* query = &work.index_query[(t * heads + head) * dim];
      table.rope(query + dim - config.rope_dim, rope.cos(t), rope.sin(t), config.rope_dim);
      table.hadamard(query, dim);
      work.index_head_weights[t * heads + head] *= weight_scale;
    }
  });
}

kv::IndexQuestion question_of(const Context& context, int64_t layer, int64_t token,
                              const std::byte* query) {
  const int64_t heads = context.config.index_head_count;
  return {.layer = layer,
          .head_count = heads,
          .query = query,
          .head_weights = &context.work.index_head_weights[token * heads],
          .row_count = complete_rows(context, token)};
}

void encode_query(Context& context, int64_t token, std::byte* query) {
  const int64_t floats = context.config.index_head_count * context.config.index_head_dim;
  context.compute.table().encode_index_query(context.layout.key,
                                             &context.work.index_query[token * floats],
                                             context.config.index_head_count, query);
}

void pick_best(Context& context, int64_t token, const float* scores) {
  const int64_t k = context.config.index_top_k;
  context.work.picked_count[token] = static_cast<int32_t>(
      kernels::top_k(scores, complete_rows(context, token), k, &context.work.picked[token * k]));
}

// One token after the other, each with all threads on its keys: decoding a long context.
void pick_by_blocks(Context& context, int64_t layer, int64_t token) {
  std::byte* query = context.work.encoded_query[0].data();
  float* scores = context.work.scores[0].data();
  encode_query(context, token, query);
  const kv::Sequence& sequence = context.batch.sequence_of(token);
  const kv::IndexQuestion question = question_of(context, layer, token, query);
  context.compute.parallel_for(kv::scan_task_count(sequence, question), [&](int64_t task, int) {
    kv::run_scan_task(context.compute.table(), sequence, question, task, scores);
  });
  pick_best(context, token, scores);
}

// Each token on one thread: prefill and large batches.
void pick_by_tokens(Context& context, int64_t layer) {
  context.compute.for_each_token(context.batch.token_count(), [&](int64_t token, int worker) {
    if (complete_rows(context, token) <= context.config.index_top_k) {
      pick_all(context, token);
      return;
    }
    std::byte* query = context.work.encoded_query[static_cast<size_t>(worker)].data();
    float* scores = context.work.scores[static_cast<size_t>(worker)].data();
    encode_query(context, token, query);
    const kv::Sequence& sequence = context.batch.sequence_of(token);
    const kv::IndexQuestion question = question_of(context, layer, token, query);
    const int64_t tasks = kv::scan_task_count(sequence, question);
    for (int64_t task = 0; task < tasks; ++task)
      kv::run_scan_task(context.compute.table(), sequence, question, task, scores);
    pick_best(context, token, scores);
  });
}

void report_picks(const Context& context, int64_t layer) {
  for (int64_t t = 0; t < context.batch.token_count(); ++t) {
    const int32_t* picked = &context.work.picked[t * context.config.index_top_k];
    context.on_picks(layer, context.batch.token(t).position,
                     {picked, static_cast<size_t>(context.work.picked_count[t])});
  }
}

}  // namespace

void pick_rows(Context& context, int64_t layer, const IndexerWeights& weights) {
  Compressor(context, layer, Compressor::Target::kKeys, weights.compressor).run();
  const int64_t n = context.batch.token_count();
  bool any_scored = false;
  for (int64_t t = 0; t < n && !any_scored; ++t) {
    any_scored = complete_rows(context, t) > context.config.index_top_k;
  }
  if (any_scored) project_queries(context, weights);
  if (any_scored && n < context.compute.thread_count()) {
    for (int64_t t = 0; t < n; ++t) {
      if (complete_rows(context, t) <= context.config.index_top_k) {
        pick_all(context, t);
      } else {
        pick_by_blocks(context, layer, t);
      }
    }
  } else {
    pick_by_tokens(context, layer);
  }
  if (context.on_picks) report_picks(context, layer);
}

}  // namespace kvasir::model
