// Ops are the batched steps that a model's forward pass is written in: the loops over tokens, heads
// and experts around the kernels (kernels.h). A step takes views with shapes and checks them when
// it begins.
//
// An Ops owns the threads and their scratch memory. It cuts work into pieces for them, freely,
// because no kernel's bits depend on cuts. One step at a time, from one thread; none allocates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kv/index_scan.h"
#include "ops/attention_steps.h"
#include "ops/batch.h"
#include "ops/expert_reads.h"
#include "ops/expert_steps.h"
#include "ops/part_clock.h"
#include "ops/pass_scope.h"
#include "ops/product.h"
#include "ops/row_steps.h"
#include "ops/stream_steps.h"
#include "ops/view.h"

namespace kvasir::ops {

class Ops {
 public:
  // matmul_cols_max: columns of the widest matrix that will be multiplied. scratch_floats: floats
  // that each thread gets for everything else: attend_scratch_floats, and the widest pooled row.
  // activations_bytes: the most that one product's activations take as integers; 0: there are none.
  Ops(const kernels::KernelTable& table, int thread_count, int64_t matmul_cols_max,
      int64_t scratch_floats, int64_t activations_bytes = 0);

  const kernels::KernelTable& table() const { return table_; }
  int thread_count() const { return pool_.thread_count(); }

  // Each thread to a processor of its own, and whoever runs a pass as long as that takes. As many
  // as threads; none: nothing is bound. Error: the system refuses.
  Status bind_threads(std::span<const int> processors) { return pool_.bind(processors); }

  // ---- passes: what they cost is counted (kvasir/pass_meter.h)

  PassScope pass_scope(int64_t token_count) { return {pool_, clock_, token_count}; }
  // Counts into `meter`, which outlives this; null: nothing is counted.
  void set_meter(PassMeter* meter) { clock_.set_meter(meter); }
  // Steps of the model's own that are one part.
  PartClock& clock() { return clock_; }

  // ---- loops of a model's own

  // Calls body(index, worker) for each index in [0, count).
  template <class Body>
  void parallel_for(int64_t count, Body&& body) {
    pool_.parallel_for(count, body);
  }
  // Calls body(token, worker) for each token. It suits loops whose single steps are short.
  template <class Body>
  void for_each_token(int64_t token_count, Body&& body) {
    const PartScope scope(clock_, PassPart::kRows);
    const int64_t stride = tokens_per_task(token_count);
    pool_.parallel_for((token_count + stride - 1) / stride, [&](int64_t task, int worker) {
      const int64_t end = (task + 1) * stride < token_count ? (task + 1) * stride : token_count;
      for (int64_t token = task * stride; token < end; ++token) body(token, worker);
    });
  }

  // ---- products

  // y [n, weight.rows] = x [n, weight.cols] * weight^T
  void matmul(const kernels::WeightMatrix& weight, View<const float> x, View<float> y);
  // The same of several matrices, with one x.
  void matmul_all(std::span<const Product> products, View<const float> x);
  // The same of one, where the rows of y lie apart: y [n] has their begins. n is at most
  // kRowsApartMax.
  void matmul_apart(const kernels::WeightMatrix& weight, View<const float> x,
                    std::span<float* const> y);
  static constexpr int64_t kRowsApartMax = 32;
  // Each matrix takes its share of x's columns and gives its share of y's. x [n, all cols], y
  // [n, all rows].
  void matmul_groups(std::span<const kernels::WeightMatrix> weights, View<const float> x,
                     View<float> y);

  // ---- rows and heads (row_steps.h)

  // The batch's rows of a table [ids, D] -> y [n, copies * D], each row `copies` times.
  void embed(const kernels::WeightMatrix& table, const Batch& batch, int64_t copies, View<float> y);
  // x [n, size] in place; weight [size].
  void rms_norm(View<float> x, const float* weight, float eps);
  void scale(View<float> x, float factor);                          // x, in place
  void norm(const Norm& norm, View<const float> x, View<float> y);  // y may be x
  // Every head on its own. norm.weight [head_dim].
  void norm_heads(const Norm& norm, View<float> heads, int64_t head_dim);
  void copy(View<const float> x, View<float> y);               // nothing where y is x
  void clear(View<float> x);                                   // x = 0
  void add_bias(View<float> x, const float* bias);             // bias [x.cols]
  void add(View<const float> x, float factor, View<float> y);  // y += factor * x
  void soft_cap(View<float> x, float cap);                     // x = cap * tanh(x / cap)
  void rope_heads(const HeadsStep& step);
  // Every head takes the rotation, or its inverse; in place. block: rotation_block of the vectors
  // that are cached, of which sums may hold the first numbers alone.
  void rotate_heads(kv::Rotation rotation, int64_t block, View<float> heads, int64_t head_dim);
  void rotate_heads_back(kv::Rotation rotation, int64_t block, View<float> heads, int64_t head_dim);
  // Rows of a stream, encoded as they stand, enter the sequences' blocks; those of a window only
  // step.encoded (write_windows takes them).
  void write_rows(const WriteRowsStep& step);
  // Codes the rows of the blocks that the batch completes: before they are attended.
  void seal_rows(const SealStep& step);
  // The rows of the blocks that stay incomplete enter the sequences: after they were attended.
  void keep_full_rows(const SealStep& step);
  // The rows of one vector of a sealed stream in a complete block, as tokens of later blocks see
  // them -> rows [kBlockTokens, width], as seal_rows was given them.
  void decode_block(const kv::Sequence& sequence, int64_t stream, int64_t block, int64_t vector,
                    float* rows) const;
  // Every head is normalised, with weight [head_dim] (null: all ones), then turned.
  void norm_rope_heads(const HeadsStep& step, const float* weight, float eps);
  // Every head is turned, then takes the Hadamard transform.
  void rope_hadamard_heads(const HeadsStep& step);
  void encode_rows(const EncodeStep& step);
  // The newest of the encoded rows [n, row bytes] enter the sequences' windows.
  void write_windows(const Batch& batch, int64_t stream, View<const std::byte> rows);

  // gates [n, cols] += bias [tokens_per_row, cols], by a token's place in its group.
  void add_position_bias(const Batch& batch, int64_t tokens_per_row, const float* bias,
                         View<float> gates);
  // Writes the rows (or keys) that the batch completes into its sequences.
  void pool_rows(const PoolStep& step);
  // Keeps the values and gates that later groups need in the sequences' rings.
  void write_pending(const PoolStep& step);

  // ---- attention (attention_steps.h)

  // Picks for every token of the batch -> step.picks.
  void pick_rows(const PickStep& step);
  // The two halves of a pick for one token, with all threads at it: scores of all rows that it sees
  // -> step.scores[0]; then the best of these -> step.picks.
  void score_rows(const PickStep& step, int64_t token);
  void pick_best(const PickStep& step, int64_t token, const float* scores);
  // Attends for some tokens of the batch -> step.attended.
  void attend(const AttendStep& step, const TokenRange& tokens);
  // The same for keys and values of their own, which groups of heads share.
  void attend_grouped(const GroupedAttendStep& step);

  // ---- gated layers and experts (expert_steps.h)

  void mlp(const MlpStep& step);
  // Chooses each token's experts, where they are not chosen, and their weights.
  void route(const RouteStep& step);
  // Orders the slots of ids [n, e].
  void group_by_expert(View<const int32_t> ids, const ExpertGroups& groups);
  // Has what is not in memory of the experts with tokens read, so that it arrives while something
  // else is done before their run. REQUIRES: the next run_experts is of the same.
  void read_experts(std::span<const Mlp> experts, const ExpertGroups& groups);
  // Runs every expert over its tokens -> step.output.
  void run_experts(const ExpertsStep& step);
  // Adds the outputs of a token's experts (output [n * e, D]) to y [n, D], in the order they were
  // picked.
  void add_routed(const ExpertGroups& groups, View<const float> output, View<float> y);

  // ---- hyper-connections (stream_steps.h)

  // The streams, mixed and normalised with `norm` [D] -> input [n, D]. Leaves the weights of the
  // way back in step.post and step.combine.
  void hyper_enter(const HyperStep& step, const HyperMixing& mixing, const float* norm,
                   View<float> input);
  // output [n, D] -> streams, by the weights that hyper_enter left.
  void hyper_leave(const HyperStep& step, View<const float> output);
  // The streams of one token, mixed for good and normalised -> hidden [D].
  void hyper_collapse(const HyperStep& step, const HyperMixing& mixing, const float* norm,
                      int64_t token, float* hidden);

 private:
  int64_t tokens_per_task(int64_t token_count) const;
  // Returns how many rows of a matrix one task should take, given the multiply-adds a row costs.
  int64_t rows_per_task(int64_t rows, int64_t work_per_row) const;
  // All tokens as integers of so many bytes -> activations_.
  void round_activations(View<const float> x, int bytes);
  // y [n, rows] = x [n, cols] * weight^T for the rows of the weight in that range, which begins
  // with a panel. x are the tokens from `first` on of what was given to round_activations last.
  void multiply(const kernels::WeightMatrix& weight, View<const float> x, int64_t first,
                const kernels::RowRange& rows, View<float> y, int worker);
  // [scratch_floats], private to the worker while it runs one index.
  float* scratch(int worker) { return scratch_[static_cast<size_t>(worker)].data(); }
  float* matmul_scratch(int worker) { return matmul_scratch_[static_cast<size_t>(worker)].data(); }

  void pool_row(const PoolStep& step, const PooledRow& row, float* pooled) const;
  void write_pooled(const PoolStep& step, const PooledRow& row, float* pooled) const;

  kv::IndexQuestion ask(const PickStep& step, const TokenRange& tokens, int worker) const;
  void pick_on_one_thread(const PickStep& step, const TokenRange& tokens, int worker);
  void score_on_one_thread(const PickStep& step, const TokenRange& tokens, int worker);
  void attend_heads(const AttendStep& step, int64_t token, int64_t head_begin, int64_t head_end,
                    int worker);
  void attend_group(const GroupedAttendStep& step, const AttendGroup& group, int worker);
  void attend_few_groups(const GroupedAttendStep& step, const GroupCut& cut);
  void seal_vector(const SealStep& step, const BatchPiece& piece, int64_t block, int64_t vector,
                   int worker);
  void turn_rows(const KeyRope& rope, const RowList& list, float* decoded, int64_t dim,
                 ListedRows& rows) const;
  void turn_queries_back(const KeyRope& rope, int64_t block, float* queries, int64_t count,
                         int64_t dim) const;
  void list_as_floats(const StreamRows& source, const AttendGroup& group, int64_t segment,
                      const RowList& list, float* decoded, ListedRows& rows) const;
  void attend_rows(const GroupedAttendStep& step, const Past& past, const AttendGroup& group,
                   int64_t segment, const kernels::AttendedPart& part, int worker);
  bool attend_coded(const GroupedAttendStep& step, const AttendGroup& group, int64_t segment,
                    int64_t query_count, const GroupScratch& s,
                    const kernels::AttendedPart& target) const;
  void list_segment(const GroupedAttendStep& step, const Past& past, const AttendGroup& group,
                    int64_t segment, const RowList& list, const GroupScratch& s,
                    SegmentRows& rows) const;
  TokenRange attend_segment(const GroupedAttendStep& step, const AttendGroup& group,
                            int64_t segment, const kernels::AttendedPart& part, int worker);
  void join_segment(const GroupedAttendStep& step, const AttendGroup& group,
                    const TokenRange& tokens, const kernels::AttendedPart& part,
                    const QueryRange& queries, const kernels::AttendedPart& whole) const;
  void put_attended(const GroupedAttendStep& step, const AttendGroup& group,
                    const QueryRange& queries, const kernels::AttendedPart& whole) const;

  template <class Body>
  void for_each_head(View<float> heads, int64_t head_dim, const Body& body);
  template <class Body>
  void for_each_expert_piece(int64_t rows, int64_t cols, Body&& body);
  void activate(const Mlp& mlp, kernels::ActivateArgs args, float* gate, float* up, int64_t begin,
                int64_t end) const;
  void gate_and_up(const ExpertsStep& step, int64_t expert, int64_t row_begin, int64_t row_end,
                   int worker);
  void down(const ExpertsStep& step, int64_t expert, int64_t row_begin, int64_t row_end,
            int worker);

  const kernels::KernelTable& table_;
  ThreadPool pool_;
  PartClock clock_;
  ExpertReads expert_reads_;
  int64_t matmul_cols_max_;
  int64_t scratch_floats_;
  std::vector<AlignedBuffer<float>> scratch_;         // [threads]
  std::vector<AlignedBuffer<float>> matmul_scratch_;  // [threads]
  AlignedBuffer<std::byte> activations_;
};

}  // namespace kvasir::ops
