#include "model/deepseek_v4/experts.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "model/deepseek_v4/router.h"

namespace kvasir::model::deepseek_v4 {
namespace {

// One expert's share of the pass: rows [begin, end) of the expert buffers.
struct ExpertTokens {
  int64_t begin;
  int64_t end;
  int64_t count() const { return end - begin; }
};

ExpertTokens tokens_of(const Pass& pass, int64_t expert) {
  return {pass.work.expert_starts[expert], pass.work.expert_starts[expert + 1]};
}

// Runs body(expert, row_begin, row_end, worker) over pieces of [0, rows) of every expert that has
// tokens.
template <class Body>
void for_each_piece(Pass& pass, int64_t rows, int64_t cols, Body&& body) {
  const int64_t step = pass.compute.rows_per_task(rows, cols);
  const int64_t pieces = (rows + step - 1) / step;
  pass.compute.parallel_for(pass.config.expert_count * pieces, [&](int64_t task, int worker) {
    const int64_t expert = task / pieces;
    const int64_t row_begin = task % pieces * step;
    if (tokens_of(pass, expert).count() == 0) return;
    body(expert, row_begin, std::min(rows, row_begin + step), worker);
  });
}

void gather_inputs(Pass& pass) {
  Workspace& work = pass.work;
  const int64_t dim = pass.config.hidden_size;
  const int64_t picks = pass.config.experts_per_token;
  pass.compute.for_each_token(pass.batch.token_count() * picks, [&](int64_t place, int) {
    const int64_t token = work.grouped_slots[place] / picks;
    std::memcpy(&work.expert_input[place * dim], &work.input[token * dim],
                static_cast<size_t>(dim) * sizeof(float));
  });
}

// gate and up for rows [row_begin, row_end) of one expert, then the gated product in their place.
void run_gate_up(Pass& pass, const ExpertWeights& expert, ExpertTokens tokens, int64_t row_begin,
                 int64_t row_end, int worker) {
  Workspace& work = pass.work;
  const kernels::KernelTable& table = pass.compute.table();
  const int64_t width = expert.gate.rows;
  const float* x = &work.expert_input[tokens.begin * pass.config.hidden_size];
  float* gate = &work.expert_gate[tokens.begin * width];
  float* up = &work.expert_up[tokens.begin * width];
  for (const auto& [weight, y] : {std::pair{&expert.gate, gate}, std::pair{&expert.up, up}}) {
    table.matmul({.weight = *weight,
                  .x = x,
                  .x_stride = pass.config.hidden_size,
                  .y = y,
                  .y_stride = width,
                  .token_count = tokens.count()},
                 row_begin, row_end, pass.compute.matmul_scratch(worker));
  }
  for (int64_t i = 0; i < tokens.count(); ++i) {
    const float weight = work.expert_scores[work.grouped_slots[tokens.begin + i]];
    float* gated = gate + i * width + row_begin;
    table.swiglu(gated, up + i * width + row_begin, pass.config.swiglu_limit, weight,
                 row_end - row_begin, gated);
  }
}

void run_routed(Pass& pass, const MoeWeights& weights) {
  Workspace& work = pass.work;
  const int64_t width = pass.config.expert_width;
  const int64_t dim = pass.config.hidden_size;
  gather_inputs(pass);
  for_each_piece(pass, width, 2 * dim,
                 [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
                   run_gate_up(pass, weights.experts[static_cast<size_t>(expert)],
                               tokens_of(pass, expert), row_begin, row_end, worker);
                 });
  for_each_piece(
      pass, dim, width, [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
        const ExpertTokens tokens = tokens_of(pass, expert);
        pass.compute.table().matmul({.weight = weights.experts[static_cast<size_t>(expert)].down,
                                     .x = &work.expert_gate[tokens.begin * width],
                                     .x_stride = width,
                                     .y = &work.expert_output[tokens.begin * dim],
                                     .y_stride = dim,
                                     .token_count = tokens.count()},
                                    row_begin, row_end, pass.compute.matmul_scratch(worker));
      });
}

// The shared expert sees every token with weight 1 -> work.output.
void run_shared(Pass& pass, const ExpertWeights& shared) {
  Workspace& work = pass.work;
  const int64_t n = pass.batch.token_count();
  const int64_t width = shared.gate.rows;
  pass.compute.matmul(shared.gate, work.input.data(), n, work.shared_gate.data());
  pass.compute.matmul(shared.up, work.input.data(), n, work.shared_up.data());
  pass.compute.for_each_token(n, [&](int64_t t, int) {
    float* gate = &work.shared_gate[t * width];
    pass.compute.table().swiglu(gate, &work.shared_up[t * width], pass.config.swiglu_limit, 1.0f,
                                width, gate);
  });
  pass.compute.matmul(shared.down, work.shared_gate.data(), n, work.output.data());
}

// Adds a token's routed experts to the shared one's output, in the order they were picked.
void add_routed(Pass& pass) {
  Workspace& work = pass.work;
  const int64_t dim = pass.config.hidden_size;
  const int64_t picks = pass.config.experts_per_token;
  pass.compute.for_each_token(pass.batch.token_count(), [&](int64_t t, int) {
    float* output = &work.output[t * dim];
    for (int64_t pick = 0; pick < picks; ++pick) {
      const float* routed = &work.expert_output[work.slot_rows[t * picks + pick] * dim];
      for (int64_t i = 0; i < dim; ++i) output[i] += routed[i];
    }
  });
}

}  // namespace

void run_experts(Pass& pass, const MoeWeights& weights) {
  route(pass, weights);
  run_routed(pass, weights);
  run_shared(pass, weights.shared);
  add_routed(pass);
}

}  // namespace kvasir::model::deepseek_v4
