#include "model/deepseek_v4/indexer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kv/index_scan.h"
#include "model/deepseek_v4/compressor.h"

namespace kvasir::model::deepseek_v4 {
namespace {

int64_t complete_rows(const Pass& pass, int64_t token) {
  return (pass.batch.token(token).position + 1) / kCsaRatio;
}

void pick_all(Pass& pass, int64_t token) {
  const int64_t count = complete_rows(pass, token);
  int32_t* picked = &pass.work.picked[token * pass.config.index_top_k];
  std::iota(picked, picked + count, 0);
  pass.work.picked_count[token] = static_cast<int32_t>(count);
}

// Index queries and head weights of all tokens.
void project_queries(Pass& pass, const IndexerWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const int64_t n = pass.batch.token_count();
  const int64_t heads = config.index_head_count;
  const int64_t dim = config.index_head_dim;
  const float weight_scale =
      1.0f / std::sqrt(static_cast<float>(dim)) / std::sqrt(static_cast<float>(heads));

  pass.compute.matmul(weights.query, work.query_rank.data(), n, work.index_query.data());
  pass.compute.matmul(weights.head_weights, work.input.data(), n, work.index_head_weights.data());
  const RopeTable& rope = pass.batch.token_rope(LayerKind::kCsa);
  pass.compute.for_each_token(n, [&](int64_t t, int) {
    for (int64_t head = 0; head < heads; ++head) {
      float* query = &work.index_query[(t * heads + head) * dim];
      table.rope(query + dim - config.rope_dim, rope.cos(t), rope.sin(t), config.rope_dim);
      table.hadamard(query, dim);
      work.index_head_weights[t * heads + head] *= weight_scale;
    }
  });
}

kv::IndexQuestion question_of(const Pass& pass, int64_t layer, int64_t token,
                              const std::byte* query) {
  const int64_t heads = pass.config.index_head_count;
  return {.stream = pass.geometry.of(layer).keys,
          .head_count = heads,
          .query = query,
          .head_weights = &pass.work.index_head_weights[token * heads],
          .row_count = complete_rows(pass, token)};
}

void encode_query(Pass& pass, int64_t token, std::byte* query) {
  const int64_t floats = pass.config.index_head_count * pass.config.index_head_dim;
  pass.compute.table().encode_index_query(pass.geometry.key, &pass.work.index_query[token * floats],
                                          pass.config.index_head_count, query);
}

void pick_best(Pass& pass, int64_t token, const float* scores) {
  const int64_t k = pass.config.index_top_k;
  pass.work.picked_count[token] = static_cast<int32_t>(
      kernels::top_k(scores, complete_rows(pass, token), k, &pass.work.picked[token * k]));
}

// One token after the other, each with all threads on its keys: decoding a long pass.
void pick_by_blocks(Pass& pass, int64_t layer, int64_t token) {
  std::byte* query = pass.work.encoded_query[0].data();
  float* scores = pass.work.scores[0].data();
  encode_query(pass, token, query);
  const kv::Sequence& sequence = pass.batch.sequence_of(token);
  const kv::IndexQuestion question = question_of(pass, layer, token, query);
  pass.compute.parallel_for(kv::scan_task_count(sequence, question), [&](int64_t task, int) {
    kv::run_scan_task(pass.compute.table(), sequence, question, task, scores);
  });
  pick_best(pass, token, scores);
}

// Each token on one thread: prefill and large batches.
void pick_by_tokens(Pass& pass, int64_t layer) {
  pass.compute.for_each_token(pass.batch.token_count(), [&](int64_t token, int worker) {
    if (complete_rows(pass, token) <= pass.config.index_top_k) {
      pick_all(pass, token);
      return;
    }
    std::byte* query = pass.work.encoded_query[static_cast<size_t>(worker)].data();
    float* scores = pass.work.scores[static_cast<size_t>(worker)].data();
    encode_query(pass, token, query);
    const kv::Sequence& sequence = pass.batch.sequence_of(token);
    const kv::IndexQuestion question = question_of(pass, layer, token, query);
    const int64_t tasks = kv::scan_task_count(sequence, question);
    for (int64_t task = 0; task < tasks; ++task)
      kv::run_scan_task(pass.compute.table(), sequence, question, task, scores);
    pick_best(pass, token, scores);
  });
}

void report_picks(const Pass& pass, int64_t layer) {
  for (int64_t t = 0; t < pass.batch.token_count(); ++t) {
    const int32_t* picked = &pass.work.picked[t * pass.config.index_top_k];
    pass.on_picks(layer, pass.batch.token(t).position,
                  {picked, static_cast<size_t>(pass.work.picked_count[t])});
  }
}

}  // namespace

void pick_rows(Pass& pass, int64_t layer, const IndexerWeights& weights) {
  Compressor(pass, layer, Compressor::Target::kKeys, weights.compressor).run();
  const int64_t n = pass.batch.token_count();
  bool any_scored = false;
  for (int64_t t = 0; t < n && !any_scored; ++t) {
    any_scored = complete_rows(pass, t) > pass.config.index_top_k;
  }
  if (any_scored) project_queries(pass, weights);
  if (any_scored && n < pass.compute.thread_count()) {
    for (int64_t t = 0; t < n; ++t) {
      if (complete_rows(pass, t) <= pass.config.index_top_k) {
        pick_all(pass, t);
      } else {
        pick_by_blocks(pass, layer, t);
      }
    }
  } else {
    pick_by_tokens(pass, layer);
  }
  if (pass.on_picks) report_picks(pass, layer);
}

}  // namespace kvasir::model::deepseek_v4
