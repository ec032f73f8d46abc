#include "model/deepseek_v4/indexer.h"

#include <cmath>

#include "base/check.h"
#include "model/deepseek_v4/compressor.h"
#include "model/pass_steps.h"

namespace kvasir::model::deepseek_v4 {

using ops::view_of;

void pick_rows(Pass& pass, int64_t layer, const IndexerWeights& weights) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  ops::Ops& ops = pass.ops;
  const int64_t n = pass.token_count();
  const int64_t heads = config.index_head_count;
  const int64_t dim = config.index_head_dim;
  KVASIR_CHECK(heads > 0 && dim > 0 && config.index_top_k > 0, "a model with an indexer");
  const auto query = view_of(work.index_query, n, heads * dim);
  const auto head_weights = view_of(work.index_head_weights, n, heads);
  const ops::PickStep step{.batch = pass.batch.tokens,
                           .stream = pass.geometry.of(layer).keys,
                           .head_count = heads,
                           .queries = query,
                           .head_weights = head_weights,
                           .encoded_queries = work.encoded_query,
                           .scores = work.scores,
                           .picks = pass.picks()};

  compress(pass, LayerKind::kCsa, step.stream, weights.compressor);
  if (ops::scores_any_rows(step)) {
    ops.matmul(weights.query, view_of(work.query_rank, n, config.query_rank), query);
    ops.matmul(weights.head_weights, view_of(work.input, n, config.hidden_size), head_weights);
    ops.rope_hadamard_heads(
        {.heads = query, .head_dim = dim, .rope = pass.batch.token_rope(LayerKind::kCsa)});
    ops.scale(head_weights,
              1.0f / std::sqrt(static_cast<float>(dim)) / std::sqrt(static_cast<float>(heads)));
  }
  ops.pick_rows(step);
  report_picks(pass.on_picks, layer, step.batch, step.picks);
}

}  // namespace kvasir::model::deepseek_v4
