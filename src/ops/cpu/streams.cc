#include "base/check.h"
#include "numeric/elementary.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

void check_shapes(const HyperStep& step) {
  const int64_t n = step.streams.rows;
  const int64_t h = step.stream_count;
  KVASIR_CHECK(step.streams.cols % h == 0 && step.mix.has_shape(n, (2 + h) * h) &&
                   step.inverse_rms.has_shape(n, 1) && step.pre.has_shape(n, h) &&
                   step.post.has_shape(n, h) && step.combine.has_shape(n, h * h),
               "shapes of residual streams");
}

}  // namespace

void Ops::hyper_enter(const HyperStep& step, const HyperMixing& mixing, const float* norm,
                      View<float> input) {
  check_shapes(step);
  KVASIR_CHECK(input.has_shape(step.streams.rows, step.width()), "an input for every token");
  const PartScope scope(clock_, PassPart::kStreams);
  matmul(mixing.fn, step.streams, step.mix);
  for_each_token(input.rows, [&](int64_t t, int) {
    const float* streams = step.streams.row(t);
    *step.inverse_rms.row(t) = table_.inverse_rms(streams, step.norm_eps, step.streams.cols);
    table_.hyper_mix({.mix = step.mix.row(t),
                      .inv_rms = step.inverse_rms.row(t),
                      .base = mixing.base,
                      .scale = mixing.scale,
                      .token_count = 1,
                      .stream_count = step.stream_count,
                      .iterations = step.iterations,
                      .eps = step.eps,
                      .pre = step.pre.row(t),
                      .post = step.post.row(t),
                      .combine = step.combine.row(t)});
    float* entered = input.row(t);
    table_.hyper_collapse(streams, step.pre.row(t), step.stream_count, input.cols, entered);
    table_.rms_norm(entered, norm, step.norm_eps, input.cols, entered);
  });
}

void Ops::hyper_leave(const HyperStep& step, View<const float> output) {
  check_shapes(step);
  KVASIR_CHECK(output.has_shape(step.streams.rows, step.width()), "an output for every token");
  const PartScope scope(clock_, PassPart::kStreams);
  for_each_token(output.rows, [&](int64_t t, int) {
    table_.hyper_expand(step.streams.row(t), output.row(t), step.post.row(t), step.combine.row(t),
                        step.stream_count, output.cols);
  });
}

void Ops::hyper_collapse(const HyperStep& step, const HyperMixing& mixing, const float* norm,
                         int64_t token, float* hidden) {
  const int64_t h = step.stream_count;
  const float* streams = step.streams.row(token);
  float* mix = step.mix.row(token);
  float* weights = step.pre.row(token);
  matmul(mixing.fn, step.streams.rows_from(token, 1), view_of(mix, 1, h));
  const float inverse_rms = table_.inverse_rms(streams, step.norm_eps, step.streams.cols);
  for (int64_t i = 0; i < h; ++i) {
    const float x = mix[i] * inverse_rms * mixing.scale[0] + mixing.base[i];
    weights[i] = numeric::sigmoid(x) + step.eps;
  }
  table_.hyper_collapse(streams, weights, h, step.width(), hidden);
  table_.rms_norm(hidden, norm, step.norm_eps, step.width(), hidden);
}

}  // namespace kvasir::ops
