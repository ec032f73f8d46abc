#include "model/compute.h"

#include <algorithm>

namespace kvasir::model {
namespace {

// Products decode weights in panels of this many rows; ranges of whole panels keep them fast.
constexpr int64_t kRowPanel = 64;
// Below this many multiply-adds a piece of work is not worth another thread.
constexpr int64_t kTaskWorkMin = 32768;
constexpr int64_t kTasksPerThread = 4;

}  // namespace

Compute::Compute(const kernels::KernelTable& table, int thread_count, int64_t matmul_cols_max,
                 int64_t scratch_floats)
    : table_(table), pool_(thread_count) {
  for (int worker = 0; worker < thread_count; ++worker) {
    scratch_.emplace_back(scratch_floats);
    matmul_scratch_.emplace_back(kernels::matmul_scratch_floats(matmul_cols_max));
  }
}

int64_t Compute::rows_per_task(int64_t rows, int64_t work_per_row) const {
  const int64_t share = rows / (kTasksPerThread * thread_count()) + 1;
  const int64_t worthwhile = kTaskWorkMin / std::max<int64_t>(work_per_row, 1) + 1;
  const int64_t wanted = thread_count() == 1 ? rows : std::max(share, worthwhile);
  return (wanted + kRowPanel - 1) / kRowPanel * kRowPanel;
}

int64_t Compute::tokens_per_task(int64_t token_count) const {
  return std::max<int64_t>(1, token_count / (kTasksPerThread * thread_count()));
}

void Compute::matmul(const kernels::WeightMatrix& weight, const float* x, int64_t token_count,
                     float* y) {
  matmul({.weight = weight,
          .x = x,
          .x_stride = weight.cols,
          .y = y,
          .y_stride = weight.rows,
          .token_count = token_count});
}

void Compute::matmul(const kernels::MatmulArgs& args) {
  const int64_t rows = args.weight.rows;
  const int64_t step = rows_per_task(rows, args.weight.cols * args.token_count);
  pool_.parallel_for((rows + step - 1) / step, [&](int64_t task, int worker) {
    table_.matmul(args, task * step, std::min(rows, (task + 1) * step), matmul_scratch(worker));
  });
}

}  // namespace kvasir::model
