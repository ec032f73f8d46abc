// A TensorReader takes tensors out of a directory as matrix views, float vectors and routing
// tables.
//
// It checks shapes and types at once. Content is read by finish(), when the whole directory is
// known to be right. The targets given to vector() must stay where they are until then. One thread.
//
// Matrices stay as they are stored, but for two kinds that are decoded to float32, in memory that
// the directory owns and counts. NVFP4 with a tensor of factors: the view is good from the start,
// its numbers are there after finish(). Blocks where a plain matrix is asked for: at once, for
// whoever asks so copies numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/tensor_directory.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"

namespace kvasir {

// A MatrixStack is a number of matrices of one shape and format, back to back.
struct MatrixStack {
  kernels::WeightMatrix first;
  int64_t data_step_bytes = 0;
  int64_t scale_step_bytes = 0;

  kernels::WeightMatrix at(int64_t index) const;
};

// Returns rows [begin, begin + count) of a matrix.
kernels::WeightMatrix slice_rows(const kernels::WeightMatrix& matrix, int64_t begin, int64_t count);

class TensorReader {
 public:
  explicit TensorReader(TensorDirectory& directory) : directory_(directory) {}

  CheckpointForm form() const { return directory_.form(); }
  bool has(const std::string& name) const { return directory_.has(name); }
  // Whether `stem` + ".weight" is there and has three extents.
  bool is_stack(const std::string& stem) const;

  // A tensor as it is stored, for whoever knows what to do with its type.
  Result<const StoredTensor*> tensor(const std::string& name, std::vector<int64_t> shape);
  // A matrix named `stem` + ".weight", with the scale `stem` + ".scale" when its type needs one.
  Status matrix(const std::string& stem, int64_t rows, int64_t cols, kernels::WeightMatrix& out);
  // A matrix named just so, whose numbers stand by themselves: F32, F16 or BF16.
  Status plain_matrix(const std::string& name, int64_t rows, int64_t cols,
                      kernels::WeightMatrix& out);
  Result<MatrixStack> matrix_stack(const std::string& stem, int64_t count, int64_t rows,
                                   int64_t cols);
  // A stack of such matrices, named just so.
  Result<MatrixStack> plain_stack(const std::string& name, int64_t count, int64_t rows,
                                  int64_t cols);
  Status vector(const std::string& name, std::vector<int64_t> shape, std::vector<float>& out);
  // Expert ids [tokens, slots], each below expert_count.
  Result<const StoredTensor*> expert_table(const std::string& name, int64_t tokens, int64_t slots,
                                           int64_t expert_count);

  // Fails on left-over tensors, then decodes vectors and matrices and checks scales and tables.
  Status finish();

 private:
  struct VectorJob {
    const StoredTensor* tensor;
    std::vector<float>* out;
  };
  struct MatrixJob {
    const StoredTensor* tensor;
    const StoredTensor* factors;  // a float32 for each matrix of a stack
    float* out;
  };
  struct TableJob {
    const StoredTensor* tensor;
    int64_t expert_count;
  };

  // `lead` is empty or [count]: what stands before rows and columns in stored shapes.
  Status read_matrix(const StoredTensor& tensor, const std::string& scale_name,
                     const std::vector<int64_t>& lead, int64_t rows, int64_t cols,
                     kernels::WeightMatrix& out);
  // Blocks hold their own scales; one type may come with a tensor of factors beside them.
  Status read_blocks(const StoredTensor& tensor, const std::string& scale_name,
                     const std::vector<int64_t>& lead, kernels::WeightMatrix& out);
  // Memory to decode a matrix of blocks into, which the view is turned to.
  float* memory_for(const StoredTensor& tensor, kernels::WeightMatrix& matrix);
  static void decode_matrices(const MatrixJob& job);
  Status read_scale(const StoredTensor& weight, const std::string& scale_name,
                    std::vector<int64_t> shape, kernels::WeightMatrix& out);

  TensorDirectory& directory_;
  std::vector<VectorJob> vector_jobs_;
  std::vector<MatrixJob> matrix_jobs_;
  std::vector<TableJob> table_jobs_;
  std::vector<const StoredTensor*> scale_jobs_;
};

}  // namespace kvasir
