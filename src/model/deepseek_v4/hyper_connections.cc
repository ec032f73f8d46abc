#include "model/deepseek_v4/hyper_connections.h"

#include <cmath>

namespace kvasir::model::deepseek_v4 {

void hyper_enter(Pass& pass, const HyperWeights& weights, const float* norm) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const int64_t h = config.stream_count;
  const int64_t state = h * config.hidden_size;
  const int64_t n = pass.batch.token_count();

  pass.compute.matmul(weights.fn, work.streams.data(), n, work.mix.data());
  pass.compute.for_each_token(n, [&](int64_t t, int) {
    const float* streams = &work.streams[t * state];
    work.inverse_rms[t] = table.inverse_rms(streams, config.norm_eps, state);
    table.hyper_mix({.mix = &work.mix[t * (2 + h) * h],
                     .inv_rms = &work.inverse_rms[t],
                     .base = weights.base.data(),
                     .scale = weights.scale.data(),
                     .token_count = 1,
                     .stream_count = h,
                     .iterations = static_cast<int>(config.sinkhorn_iterations),
                     .eps = config.hyper_eps,
                     .pre = &work.pre[t * h],
                     .post = &work.post[t * h],
                     .combine = &work.combine[t * h * h]});
    float* input = &work.input[t * config.hidden_size];
    table.hyper_collapse(streams, &work.pre[t * h], h, config.hidden_size, input);
    table.rms_norm(input, norm, config.norm_eps, config.hidden_size, input);
  });
}

void hyper_leave(Pass& pass) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const int64_t h = config.stream_count;
  pass.compute.for_each_token(pass.batch.token_count(), [&](int64_t t, int) {
    pass.compute.table().hyper_expand(&work.streams[t * h * config.hidden_size],
                                      &work.output[t * config.hidden_size], &work.post[t * h],
                                      &work.combine[t * h * h], h, config.hidden_size);
  });
}

void hyper_collapse_head(Pass& pass, const HyperWeights& weights, const float* norm, int64_t token,
                         float* hidden) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const int64_t h = config.stream_count;
  const int64_t state = h * config.hidden_size;
  const float* streams = &work.streams[token * state];
  float* mix = &work.mix[token * (2 + h) * h];
  float* weight = &work.pre[token * h];

  pass.compute.matmul(weights.fn, streams, 1, mix);
  const float inverse_rms = table.inverse_rms(streams, config.norm_eps, state);
  for (int64_t i = 0; i < h; ++i) {
    const float x = mix[i] * inverse_rms * weights.scale[0] + weights.base[static_cast<size_t>(i)];
    weight[i] = 1.0f / (1.0f + std::exp(-x)) + config.hyper_eps;
  }
  table.hyper_collapse(streams, weight, h, config.hidden_size, hidden);
  table.rms_norm(hidden, norm, config.norm_eps, config.hidden_size, hidden);
}

}  // namespace kvasir::model::deepseek_v4
