#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "numeric/elementary.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

constexpr float kLeftOut = -std::numeric_limits<float>::infinity();

// values [count] -> the e highest, ties to the lower index. What was picked is left out of values.
void pick_best(float* values, int64_t count, int64_t pick_count, int32_t* picks) {
  for (int64_t pick = 0; pick < pick_count; ++pick) {
    const float* best = std::max_element(values, values + count);
    picks[pick] = static_cast<int32_t>(best - values);
    values[picks[pick]] = kLeftOut;
  }
}

float score_of_group(GroupScore score, const float* values, int64_t count) {
  float best = kLeftOut;
  float second = kLeftOut;
  for (int64_t i = 0; i < count; ++i) {
    second = std::max(second, std::min(best, values[i]));
    best = std::max(best, values[i]);
  }
  return score == GroupScore::kBestTwoSum && count > 1 ? best + second : best;
}

// Leaves out the experts of all groups but the best.
void keep_best_groups(const GroupLimit& limit, float* values, int64_t expert_count) {
  if (limit.score == GroupScore::kNone) return;
  const int64_t size = expert_count / limit.group_count;
  std::array<float, kGroupsMax> scores;
  std::array<int32_t, kGroupsMax> used;
  for (int64_t group = 0; group < limit.group_count; ++group) {
    scores[static_cast<size_t>(group)] = score_of_group(limit.score, values + group * size, size);
  }
  pick_best(scores.data(), limit.group_count, limit.groups_used, used.data());
  for (int64_t group = 0; group < limit.group_count; ++group) {
    const auto end = used.begin() + limit.groups_used;
    if (std::find(used.begin(), end, group) == end) {
      std::fill_n(values + group * size, size, kLeftOut);
    }
  }
}

// scores -> ids [e] of one token. choice: [experts], scratch.
void choose_experts(const RouteStep& step, const float* scores, float* choice, int32_t* ids) {
  const int64_t experts = step.scores.cols;
  for (int64_t i = 0; i < experts; ++i) {
    choice[i] = step.bias != nullptr ? scores[i] + step.bias[i] : scores[i];
  }
  keep_best_groups(step.groups, choice, experts);
  pick_best(choice, experts, step.ids.cols, ids);
}

// weights [e]: a token's shares of its experts.
void weigh_experts(const RouteStep& step, const float* scores, const int32_t* ids, float* weights) {
  const int64_t picks = step.ids.cols;
  for (int64_t i = 0; i < picks; ++i) weights[i] = scores[ids[i]];
  if (step.softens_chosen) soften(weights, picks);
  float sum = 0;
  for (int64_t i = 0; i < picks; ++i) sum += weights[i];
  const float divisor = step.normalises ? sum : 1.0f;
  for (int64_t i = 0; i < picks; ++i) weights[i] = weights[i] / divisor * step.scale;
}

void check_shapes(const ExpertsStep& step) {
  const int64_t slots = std::ssize(step.groups.slots);
  const Mlp& mlp = step.experts.front();
  KVASIR_CHECK(slots == step.x.rows * step.groups.picks_per_token &&
                   std::ssize(step.experts) == step.groups.expert_count &&
                   step.weights.has_shape(step.x.rows, step.groups.picks_per_token) &&
                   step.weights.is_packed(),
               "groups of all slots");
  KVASIR_CHECK(step.x.cols == mlp.up.cols && step.input.has_shape(slots, mlp.up.cols) &&
                   (!mlp.is_gated() || step.gate.has_shape(slots, mlp.gate.rows)) &&
                   step.up.has_shape(slots, mlp.up.rows) &&
                   step.output.has_shape(slots, mlp.down.rows),
               "shapes of the experts' buffers");
}

// What the output of the pick at this place counts.
float pick_weight(const ExpertsStep& step, int64_t place) {
  return step.weights.data[step.groups.slots[static_cast<size_t>(place)]];
}

// Of the experts that have tokens.
void add_experts(const ExpertsStep& step, PartClock& clock) {
  for (int64_t expert = 0; expert < step.groups.expert_count; ++expert) {
    const int64_t tokens = step.groups.end(expert) - step.groups.begin(expert);
    if (tokens == 0) continue;
    const Mlp& mlp = step.experts[static_cast<size_t>(expert)];
    for (const kernels::WeightMatrix* weight : {&mlp.gate, &mlp.up, &mlp.down}) {
      if (weight->rows > 0) clock.add_product(*weight, tokens);
    }
  }
}

}  // namespace

void soften(float* values, int64_t count) {
  const float largest = *std::max_element(values, values + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(numeric::exp(values[i] - largest));
    sum += values[i];
  }
  for (int64_t i = 0; i < count; ++i) values[i] /= sum;
}

void Ops::mlp(const MlpStep& step) {
  const Mlp& mlp = step.mlp;
  const Product products[] = {{mlp.up, step.up}, {mlp.gate, step.gate}};
  matmul_all({products, mlp.is_gated() ? size_t{2} : size_t{1}}, step.x);
  for_each_token(step.x.rows, [&](int64_t t, int) {
    float* gate = mlp.is_gated() ? step.gate.row(t) : nullptr;
    activate(mlp, {.activation = step.activation, .limit = step.limit}, gate, step.up.row(t), 0,
             step.up.cols);
  });
  matmul(mlp.down, step.up, step.y);
  if (mlp.down_bias != nullptr) add_bias(step.y, mlp.down_bias);
}

// Biases, then f(gate) * up in the place of up, for outputs [begin, end). gate: null in a plain
// layer.
void Ops::activate(const Mlp& mlp, kernels::ActivateArgs args, float* gate, float* up,
                   int64_t begin, int64_t end) const {
  const auto biased = [begin, end](float* x, const float* bias) {
    for (int64_t i = begin; bias != nullptr && i < end; ++i) x[i] += bias[i];
  };
  biased(up, mlp.up_bias);
  if (gate != nullptr) biased(gate, mlp.gate_bias);
  args.gate = (gate != nullptr ? gate : up) + begin;
  args.up = gate != nullptr ? up + begin : nullptr;
  args.size = end - begin;
  args.out = up + begin;
  table_.activate(args);
}

void Ops::route(const RouteStep& step) {
  const int64_t n = step.scores.rows;
  KVASIR_CHECK(step.ids.rows == n && step.weights.has_shape(n, step.ids.cols) &&
                   step.ids.cols <= step.scores.cols,
               "shapes of a route");
  KVASIR_CHECK(step.are_chosen || step.scores.cols <= scratch_floats_,
               "the scratch memory was sized for as many experts");
  KVASIR_CHECK(step.groups.group_count <= kGroupsMax &&
                   step.scores.cols % step.groups.group_count == 0 &&
                   step.groups.groups_used <= step.groups.group_count,
               "groups that share the experts out");
  for_each_token(n, [&](int64_t t, int worker) {
    float* scores = step.scores.row(t);
    int32_t* ids = step.ids.row(t);
    if (step.score_of != nullptr) step.score_of(scores, step.scores.cols);
    if (!step.are_chosen) choose_experts(step, scores, scratch(worker), ids);
    weigh_experts(step, scores, ids, step.weights.row(t));
  });
}

// A counting sort.
void Ops::group_by_expert(View<const int32_t> ids, const ExpertGroups& groups) {
  const int64_t experts = groups.expert_count;
  const int64_t slots = ids.rows * ids.cols;
  KVASIR_CHECK(ids.is_packed() && ids.cols == groups.picks_per_token &&
                   std::ssize(groups.slots) == slots && std::ssize(groups.places) == slots &&
                   std::ssize(groups.starts) == experts + 1,
               "shapes of groups");
  const PartScope scope(clock_, PassPart::kRows);
  int64_t* starts = groups.starts.data();
  std::fill(starts, starts + experts + 1, 0);
  for (int64_t slot = 0; slot < slots; ++slot) ++starts[ids.data[slot] + 1];
  for (int64_t e = 0; e < experts; ++e) starts[e + 1] += starts[e];
  for (int64_t slot = 0; slot < slots; ++slot) {
    const int64_t place = starts[ids.data[slot]]++;
    groups.slots[static_cast<size_t>(place)] = static_cast<int32_t>(slot);
    groups.places[static_cast<size_t>(slot)] = static_cast<int32_t>(place);
  }
  // Placing moved every start to its expert's end, which is the next one's start.
  std::copy_backward(starts, starts + experts, starts + experts + 1);
  starts[0] = 0;
}

void Ops::read_experts(std::span<const Mlp> experts, const ExpertGroups& groups) {
  expert_reads_.start(experts, groups);
}

// body(expert, row_begin, row_end, worker) over pieces of [0, rows) of every expert that has
// tokens.
template <class Body>
void Ops::for_each_expert_piece(int64_t rows, int64_t cols, Body&& body) {
  const int64_t step = rows_per_task(rows, cols);
  const int64_t pieces = (rows + step - 1) / step;
  const std::span<const int32_t> order = expert_reads_.order();
  pool_.parallel_for(std::ssize(order) * pieces, [&](int64_t task, int worker) {
    const int64_t row_begin = task % pieces * step;
    if (row_begin == 0) expert_reads_.begin_part();
    body(order[static_cast<size_t>(task / pieces)], row_begin, std::min(rows, row_begin + step),
         worker);
  });
}

void Ops::run_experts(const ExpertsStep& step) {
  check_shapes(step);
  const ExpertGroups& groups = step.groups;
  const int64_t dim = step.x.cols;
  const int64_t width = step.up.cols;
  KVASIR_CHECK(std::max(dim, width) <= matmul_cols_max_,
               "the scratch memory was sized for as many columns");
  const PartScope scope(clock_, PassPart::kExperts);
  if (clock_.is_running()) add_experts(step, clock_);
  for_each_token(std::ssize(groups.slots), [&](int64_t place, int) {
    const int64_t token = groups.slots[static_cast<size_t>(place)] / groups.picks_per_token;
    std::memcpy(step.input.row(place), step.x.row(token), static_cast<size_t>(dim) * sizeof(float));
  });
  // Of the first matrix of a kind that is one of integers, as all of a model have the same; 0 where
  // none is.
  const auto activation_bytes = [&](kernels::WeightMatrix Mlp::*matrix) {
    if (activations_.size() == 0) return 0;
    const auto found = std::ranges::find_if(
        step.experts, [&](const Mlp& mlp) { return (mlp.*matrix).is_integer(); });
    return found == step.experts.end() ? 0 : ((*found).*matrix).activation_bytes;
  };
  if (!expert_reads_.is_started()) read_experts(step.experts, groups);
  const int bytes_in = std::max(activation_bytes(&Mlp::up), activation_bytes(&Mlp::gate));
  if (bytes_in != 0) round_activations(step.input, bytes_in);
  for_each_expert_piece(width, 2 * dim,
                        [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
                          gate_and_up(step, expert, row_begin, row_end, worker);
                        });
  const int bytes_down = activation_bytes(&Mlp::down);
  if (bytes_down != 0) round_activations(step.up, bytes_down);
  for_each_expert_piece(step.output.cols, width,
                        [&](int64_t expert, int64_t row_begin, int64_t row_end, int worker) {
                          down(step, expert, row_begin, row_end, worker);
                        });
  expert_reads_.finish();
}

// gate and up for rows [row_begin, row_end) of one expert, then the gated product in the place of
// up.
void Ops::gate_and_up(const ExpertsStep& step, int64_t expert, int64_t row_begin, int64_t row_end,
                      int worker) {
  const Mlp& mlp = step.experts[static_cast<size_t>(expert)];
  const int64_t begin = step.groups.begin(expert);
  const int64_t end = step.groups.end(expert);
  for (const auto& [weight, y] : {std::pair{&mlp.gate, step.gate}, std::pair{&mlp.up, step.up}}) {
    if (weight->rows == 0) continue;
    multiply(*weight, step.input.rows_from(begin, end - begin), begin, {row_begin, row_end},
             y.rows_from(begin, end - begin), worker);
  }
  for (int64_t place = begin; place < end; ++place) {
    float* gate = mlp.is_gated() ? step.gate.row(place) : nullptr;
    activate(
        mlp,
        {.activation = step.activation, .limit = step.limit, .weight = pick_weight(step, place)},
        gate, step.up.row(place), row_begin, row_end);
  }
}

// The output for rows [row_begin, row_end) of one expert. Its inputs carry their weights already.
void Ops::down(const ExpertsStep& step, int64_t expert, int64_t row_begin, int64_t row_end,
               int worker) {
  const Mlp& mlp = step.experts[static_cast<size_t>(expert)];
  const int64_t begin = step.groups.begin(expert);
  const int64_t end = step.groups.end(expert);
  multiply(mlp.down, step.up.rows_from(begin, end - begin), begin, {row_begin, row_end},
           step.output.rows_from(begin, end - begin), worker);
  if (mlp.down_bias == nullptr) return;
  for (int64_t place = begin; place < end; ++place) {
    const float weight = pick_weight(step, place);
    float* output = step.output.row(place);
    for (int64_t row = row_begin; row < row_end; ++row) output[row] += weight * mlp.down_bias[row];
  }
}

void Ops::add_routed(const ExpertGroups& groups, View<const float> output, View<float> y) {
  const int64_t picks = groups.picks_per_token;
  KVASIR_CHECK(output.has_shape(y.rows * picks, y.cols), "an output for every slot");
  for_each_token(y.rows, [&](int64_t t, int) {
    float* sum = y.row(t);
    for (int64_t pick = 0; pick < picks; ++pick) {
      const float* routed = output.row(groups.places[static_cast<size_t>(t * picks + pick)]);
      for (int64_t i = 0; i < y.cols; ++i) sum[i] += routed[i];
    }
  });
}

}  // namespace kvasir::ops
