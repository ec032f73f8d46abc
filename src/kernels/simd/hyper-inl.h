// These loops compute the mixing weights of the hyper-connections and use them. Included once per
// instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// ---- four streams: a token's 4 x 4 matrix is a vector, row by row

// Each lane gets the sum (or maximum) of its row.
KVASIR_INLINE Vec row_sums(Vec v) {
  v = v + swap_lanes<2>(v);
  return v + swap_lanes<1>(v);
}
KVASIR_INLINE Vec row_maxima(Vec v) {
  v = max(v, swap_lanes<2>(v));
  return max(v, swap_lanes<1>(v));
}

KVASIR_INLINE Vec softmax_rows_4(Vec m, Vec eps) {
  m = exp(m - row_maxima(m));
  return m / row_sums(m) + eps;
}
KVASIR_INLINE Vec normalise_rows_4(Vec m, Vec eps) { return m / (row_sums(m) + eps); }
KVASIR_INLINE Vec normalise_columns_4(Vec m, Vec eps) { return m / (column_sums(m) + eps); }

// pre and post of one token: the first 8 places of its mix.
KVASIR_INLINE void mix_vectors_4(const HyperMixArgs& args, int64_t t) {
  const Mask eight = first_lanes(8);
  const float scales[8] = {args.scale[0], args.scale[0], args.scale[0], args.scale[0],
                           args.scale[1], args.scale[1], args.scale[1], args.scale[1]};
  const Vec mix = load(args.mix + t * 24, eight) * broadcast(args.inv_rms[t]);
  float values[8];
  store(values, sigmoid(mix * load(scales, eight) + load(args.base, eight)), eight);
  for (int64_t i = 0; i < 4; ++i) {
    args.pre[t * 4 + i] = values[i] + args.eps;
    args.post[t * 4 + i] = 2 * values[4 + i];
  }
}

// Several tokens at once only to hide the divisions' latency.
template <int kTokens>
KVASIR_INLINE void mix_matrices_4(const HyperMixArgs& args, int64_t token) {
  const Vec eps = broadcast(args.eps);
  Vec m[kTokens];
  KVASIR_UNROLL
  for (int64_t t = 0; t < kTokens; ++t) {
    const Vec mix = load(args.mix + (token + t) * 24 + 8) * broadcast(args.inv_rms[token + t]);
    m[t] = mix * broadcast(args.scale[2]) + load(args.base + 8);
    m[t] = normalise_columns_4(softmax_rows_4(m[t], eps), eps);
  }
  for (int round = 1; round < args.iterations; ++round) {
    KVASIR_UNROLL
    for (int64_t t = 0; t < kTokens; ++t)
      m[t] = normalise_columns_4(normalise_rows_4(m[t], eps), eps);
  }
  KVASIR_UNROLL
  for (int64_t t = 0; t < kTokens; ++t) store(args.combine + (token + t) * 16, m[t]);
}

void hyper_mix_4(const HyperMixArgs& args) {
  for (int64_t t = 0; t < args.token_count; ++t) mix_vectors_4(args, t);
  int64_t t = 0;
  for (; t + 4 <= args.token_count; t += 4) mix_matrices_4<4>(args, t);
  for (; t < args.token_count; ++t) mix_matrices_4<1>(args, t);
}

// ---- any number of streams, plainly

KVASIR_INLINE float exp_of_one(float x) { return first_lane(exp(broadcast(x))); }
KVASIR_INLINE float sigmoid_of_one(float x) { return first_lane(sigmoid(broadcast(x))); }

// Divides each line of h values, `step` apart, by its sum plus eps.
KVASIR_INLINE void normalise_lines(float* c, int64_t h, int64_t line_step, int64_t step,
                                   float eps) {
  for (int64_t line = 0; line < h; ++line) {
    float* values = c + line * line_step;
    float sum = 0;
    for (int64_t i = 0; i < h; ++i) sum += values[i * step];
    for (int64_t i = 0; i < h; ++i) values[i * step] /= sum + eps;
  }
}

KVASIR_INLINE void softmax_rows(float* c, int64_t h, float eps) {
  for (int64_t i = 0; i < h; ++i) {
    float* row = c + i * h;
    float row_max = row[0];
    for (int64_t j = 1; j < h; ++j) row_max = row[j] > row_max ? row[j] : row_max;
    float sum = 0;
    for (int64_t j = 0; j < h; ++j) {
      row[j] = exp_of_one(row[j] - row_max);
      sum += row[j];
    }
    for (int64_t j = 0; j < h; ++j) row[j] = row[j] / sum + eps;
  }
}

void hyper_mix_any(const HyperMixArgs& args) {
  const int64_t h = args.stream_count;
  for (int64_t t = 0; t < args.token_count; ++t) {
    const float* mix = args.mix + t * (2 + h) * h;
    const auto mixed = [&](int64_t i, int part) {
      return mix[i] * args.inv_rms[t] * args.scale[part] + args.base[i];
    };
    for (int64_t i = 0; i < h; ++i) {
      args.pre[t * h + i] = sigmoid_of_one(mixed(i, 0)) + args.eps;
      args.post[t * h + i] = 2 * sigmoid_of_one(mixed(h + i, 1));
    }
    float* c = args.combine + t * h * h;
    for (int64_t i = 0; i < h * h; ++i) c[i] = mixed(2 * h + i, 2);
    softmax_rows(c, h, args.eps);
    normalise_lines(c, h, 1, h, args.eps);
    for (int round = 1; round < args.iterations; ++round) {
      normalise_lines(c, h, h, 1, args.eps);
      normalise_lines(c, h, 1, h, args.eps);
    }
  }
}

void hyper_mix(const HyperMixArgs& args) {
  if (args.stream_count == 4) return hyper_mix_4(args);
  hyper_mix_any(args);
}

// ---- use of the weights

void hyper_collapse(const float* x, const float* pre, int64_t streams, int64_t dim, float* u) {
  for_each_vec(dim, [=](int64_t d, auto mask) KVASIR_LAMBDA_INLINE {
    Vec sum = broadcast(pre[0]) * load(x + d, mask);
    for (int64_t i = 1; i < streams; ++i)
      sum = fma(broadcast(pre[i]), load(x + i * dim + d, mask), sum);
    store(u + d, sum, mask);
  });
}

// The vector at d of all target streams: old [h] are the sources, read before the first is written.
template <class AnyMask>
KVASIR_INLINE void expand_at(float* x, const Vec* old, Vec output, const float* post,
                             const float* combine, int64_t h, int64_t dim, AnyMask mask) {
  KVASIR_UNROLL
  for (int64_t j = 0; j < h; ++j) {
    Vec sum = broadcast(post[j]) * output;
    KVASIR_UNROLL
    for (int64_t i = 0; i < h; ++i) sum = fma(broadcast(combine[i * h + j]), old[i], sum);
    store(x + j * dim, sum, mask);
  }
}

KVASIR_INLINE void expand_4(float* x, const float* o, const float* post, const float* combine,
                            int64_t dim) {
  for_each_vec(dim, [=](int64_t d, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec old[4] = {load(x + d, mask), load(x + dim + d, mask), load(x + 2 * dim + d, mask),
                        load(x + 3 * dim + d, mask)};
    expand_at(x + d, old, load(o + d, mask), post, combine, 4, dim, mask);
  });
}

void hyper_expand(float* x, const float* o, const float* post, const float* combine,
                  int64_t streams, int64_t dim) {
  KVASIR_CHECK(streams <= kStreamCountMax, "more residual streams than the kernels hold");
  if (streams == 4) return expand_4(x, o, post, combine, dim);
  Vec old[kStreamCountMax] = {};
  for_each_vec(dim, [&](int64_t d, auto mask) KVASIR_LAMBDA_INLINE {
    for (int64_t i = 0; i < streams; ++i) old[i] = load(x + i * dim + d, mask);
    expand_at(x + d, old, load(o + d, mask), post, combine, streams, dim, mask);
  });
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
