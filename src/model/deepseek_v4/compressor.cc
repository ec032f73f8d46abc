#include "model/deepseek_v4/compressor.h"

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {

void compress(Pass& pass, LayerKind kind, int64_t stream, const CompressorWeights& weights) {
  const int64_t n = pass.token_count();
  const auto input = ops::view_of(pass.work.input, n, pass.config.hidden_size);
  const auto values = ops::view_of(pass.work.values, n, weights.values.rows);
  const auto gates = ops::view_of(pass.work.gates, n, weights.gates.rows);
  const ops::PoolStep step{.batch = pass.batch.tokens,
                           .rows = pass.batch.pooled_rows(kind),
                           .stream = stream,
                           .values = values,
                           .gates = gates,
                           .norm = weights.norm.data(),
                           .eps = pass.config.norm_eps};

  KVASIR_CHECK(std::ssize(weights.norm) == pass.batch.tokens.stream(stream).spec.width,
               "a norm as wide as the pooled row");
  KVASIR_CHECK(std::ssize(weights.position_bias) == ratio_of(kind) * weights.gates.rows,
               "a bias for each place in a group");
  pass.ops.matmul(weights.values, input, values);
  pass.ops.matmul(weights.gates, input, gates);
  pass.ops.add_position_bias(step.batch, step.rows.tokens_per_row(), weights.position_bias.data(),
                             gates);
  pass.ops.pool_rows(step);
  pass.ops.write_pending(step);
}

}  // namespace kvasir::model::deepseek_v4
