#include "model/deepseek_v4/hyper_connections.h"

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using ops::view_of;

ops::HyperStep step_of(const Pass& pass) {
  const int64_t n = pass.token_count();
  const int64_t h = pass.config.stream_count;
  return {.stream_count = h,
          .iterations = static_cast<int>(pass.config.sinkhorn_iterations),
          .eps = pass.config.hyper_eps,
          .norm_eps = pass.config.norm_eps,
          .streams = view_of(pass.work.streams, n, h * pass.config.hidden_size),
          .mix = view_of(pass.work.mix, n, (2 + h) * h),
          .inverse_rms = view_of(pass.work.inverse_rms, n, 1),
          .pre = view_of(pass.work.pre, n, h),
          .post = view_of(pass.work.post, n, h),
          .combine = view_of(pass.work.combine, n, h * h)};
}

ops::HyperMixing mixing_of(const HyperWeights& weights, int64_t scale_count) {
  KVASIR_CHECK(
      std::ssize(weights.base) == weights.fn.rows && std::ssize(weights.scale) == scale_count,
      "the constants of a mixing");
  return {.fn = weights.fn, .base = weights.base.data(), .scale = weights.scale.data()};
}

}  // namespace

void hyper_enter(Pass& pass, const HyperWeights& weights, std::span<const float> norm) {
  KVASIR_CHECK(std::ssize(norm) == pass.config.hidden_size, "a weight for each hidden value");
  pass.ops.hyper_enter(step_of(pass), mixing_of(weights, 3), norm.data(),
                       view_of(pass.work.input, pass.token_count(), pass.config.hidden_size));
}

void hyper_leave(Pass& pass) {
  pass.ops.hyper_leave(step_of(pass),
                       view_of(pass.work.output, pass.token_count(), pass.config.hidden_size));
}

void hyper_collapse_head(Pass& pass, const HyperWeights& weights, std::span<const float> norm,
                         int64_t token, float* hidden) {
  KVASIR_CHECK(std::ssize(norm) == pass.config.hidden_size, "a weight for each hidden value");
  pass.ops.hyper_collapse(step_of(pass), mixing_of(weights, 1), norm.data(), token, hidden);
}

}  // namespace kvasir::model::deepseek_v4
