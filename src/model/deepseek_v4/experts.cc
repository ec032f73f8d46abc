#include "model/deepseek_v4/experts.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "model/deepseek_v4/router.h"

namespace kvasir::model {
namespace {

// One expert's share of the pass: rows [begin, end) of the expert buffers.
struct ExpertTokens {
  int64_t begin;
  int64_t end;
  int64_t count() const { return end - begin; }
};

ExpertTokens tokens_of(const Context& context, int64_t expert) {
  return {context.work.expert_starts[expert], context.work.expert_starts[expert + 1]};
}

// Runs body(expert, row_begin, row_end, worker) over pieces of [0, rows) of every expert that has
// tokens.
template <class Body>
void for_each_piece(Context& context, int64_t rows, int64_t cols, Body&& body) {
  const int64_t step = context.compute.rows_per_task(rows, cols);
  const int64_t pieces = (rows + step - 1) / step;
  context.compute.parallel_for(context.config.expert_count * pieces, [&](int64_t task, int worker) {
    const int64_t expert = task / pieces;
    const int64_t row_begin = task % pieces * step;
    if (tokens_of(context, expert).count() == 0) return;
    body(expert, row_begin, std::min(rows, row_begin + step), worker);
  });
}

void gather_inputs(Context& context) {
  Workspace& work = context.work;
  const int64_t dim = context.config.hidden_size;
  const int64_t picks = context.config.experts_per_token;
  context.compute.for_each_token(context.batch.token_count() * picks, [&](int64_t place, int) {
    const int64_t token = work.grouped_slots[place] / picks;
    std::memcpy(&work.expert_input[place * dim], &work.input[token * dim],
                static_cast<size_t>(dim) * sizeof(float));
  });
}

// gate and up for rows [row_begin, row_end) of one expert, then the gated product in their place.
void run_gate_up(Context& context, const ExpertWeights& expert, ExpertTokens tokens,
                 int64_t row_begin, int64_t row_end, int worker) {
  Workspace& work = context.work;
  const kernels::KernelTable& table = context.compute.table();
  const int64_t width = expert.gate.rows;
  const float* x = &work.expert_input[tokens.begin * context.config.hidden_size];
  float* gate = &work.expert_gate[tokens.begin * width];
  float* up = &work.expert_up[tokens.begin * width];
  for (const auto& [weight, y] : {std::pair{&expert.gate, gate}, std::pair{&expert.up, up}}) {
    table.matmul({.weight = *weight,
                  .x = x,
                  .x_stride = context.config.hidden_size,
                  .y = y,
                  .y_stride = width,
                  .token_count = tokens.count()},
                 row_begin, row_end, context.compute.matmul_scratch(worker));
  }
  for (int64_t i = 0; i < tokens.count(); ++i) {
    const float weight = work.expert_scores[work.grouped_slots[tokens.begin + i]];
    float* gated = gate + i * width + row_begin;
    table.swiglu(gated, up + i * width + row_begin, context.config.swiglu_limit, weight,
                 row_end - row_begin, gated);
  }
}

void run_routed(Context& context, const MoeWeights& weights) {
  Workspace& work = context.work;
  const int64_t width = context.config.expert_width;
  const int64_t dim = context.config.hidden_size;
  gather_inputs(context);
  for_each_piece(context, width, 2 * dim,
                 [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
                   run_gate_up(context, weights.experts[static_cast<size_t>(expert)],
                               tokens_of(context, expert), row_begin, row_end, worker);
                 });
  for_each_piece(
      context, dim, width, [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
        const ExpertTokens tokens = tokens_of(context, expert);
        context.compute.table().matmul({.weight = weights.experts[static_cast<size_t>(expert)].down,
                                        .x = &work.expert_gate[tokens.begin * width],
                                        .x_stride = width,
                                        .y = &work.expert_output[tokens.begin * dim],
                                        .y_stride = dim,
                                        .token_count = tokens.count()},
                                       row_begin, row_end, context.compute.matmul_scratch(worker));
      });
}

// The shared expert sees every token with weight 1 -> work.output.
void run_shared(Context& context, const ExpertWeights& shared) {
  Workspace& work = context.work;
  const int64_t n = context.batch.token_count();
  const int64_t width = shared.gate.rows;
  context.compute.matmul(shared.gate, work.input.data(), n, work.shared_gate.data());
  context.compute.matmul(shared.up, work.input.data(), n, work.shared_up.data());
  context.compute.for_each_token(n, [&](int64_t t, int) {
    float* gate = &work.shared_gate[t * width];
    context.compute.table().swiglu(gate, &work.shared_up[t * width], context.config.swiglu_limit,
                                   1.0f, width, gate);
  });
  context.compute.matmul(shared.down, work.shared_gate.data(), n, work.output.data());
}

// Adds a token's routed experts to the shared one's output, in the order they were picked.
void add_routed(Context& context) {
  Workspace& work = context.work;
  const int64_t dim = context.config.hidden_size;
  const int64_t picks = context.config.experts_per_token;
  context.compute.for_each_token(context.batch.token_count(), [&](int64_t t, int) {
    float* output = &work.output[t * dim];
    for (int64_t pick = 0; pick < picks; ++pick) {
      const float* routed = &work.expert_output[work.slot_rows[t * picks + pick] * dim];
      for (int64_t i = 0; i < dim; ++i) output[i] += routed[i];
    }
  });
}

}  // namespace

void run_experts(Context& context, const MoeWeights& weights) {
  route(context, weights);
  run_routed(context, weights);
  run_shared(context, weights.shared);
  add_routed(context);
}

}  // namespace kvasir::model
