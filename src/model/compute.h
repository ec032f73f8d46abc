// Compute is what the layers of a model calculate with: the kernel table, the threads and their
// scratch memory.
//
// It cuts work into pieces for the threads. The cuts may follow token counts and thread counts
// freely, because no kernel's bits depend on them (kernels.h). One loop at a time, started from one
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace kvasir::model {

class Compute {
 public:
  // matmul_cols_max: the widest matrix that will be multiplied. scratch_floats: per thread, for
  // everything else.
  Compute(const kernels::KernelTable& table, int thread_count, int64_t matmul_cols_max,
          int64_t scratch_floats);

  const kernels::KernelTable& table() const { return table_; }
  int thread_count() const { return pool_.thread_count(); }

  // y [tokens, weight.rows] = x [tokens, weight.cols] * weight^T
  void matmul(const kernels::WeightMatrix& weight, const float* x, int64_t token_count, float* y);
  // The same with row strides of x and y.
  void matmul(const kernels::MatmulArgs& args);

  // body(index, worker) for each index in [0, count).
  template <class Body>
  void parallel_for(int64_t count, Body&& body) {
    pool_.parallel_for(count, body);
  }
  // body(token, worker): for loops over tokens whose single steps are short.
  template <class Body>
  void for_each_token(int64_t token_count, Body&& body) {
    const int64_t stride = tokens_per_task(token_count);
    pool_.parallel_for((token_count + stride - 1) / stride, [&](int64_t task, int worker) {
      const int64_t end = (task + 1) * stride < token_count ? (task + 1) * stride : token_count;
      for (int64_t token = task * stride; token < end; ++token) body(token, worker);
    });
  }

  // Rows of a matrix that one task should take, given the multiply-adds a row costs.
  int64_t rows_per_task(int64_t rows, int64_t work_per_row) const;

  // [scratch_floats], private to the worker while it runs one index.
  float* scratch(int worker) { return scratch_[static_cast<size_t>(worker)].data(); }
  float* matmul_scratch(int worker) { return matmul_scratch_[static_cast<size_t>(worker)].data(); }

 private:
  int64_t tokens_per_task(int64_t token_count) const;

  const kernels::KernelTable& table_;
  ThreadPool pool_;
  std::vector<AlignedBuffer<float>> scratch_;         // [threads]
  std::vector<AlignedBuffer<float>> matmul_scratch_;  // [threads]
};

}  // namespace kvasir::model
