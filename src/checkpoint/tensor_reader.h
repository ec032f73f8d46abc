// A TensorReader takes tensors out of a directory as matrix views, float vectors and routing
// tables.
//
// It checks shapes and types at once. Content is read by finish(), when the whole directory is
// known to be right. The targets given to vector() must stay where they are until then. One thread.
//
// Matrices stay as they are stored, but for two kinds that are decoded to float32, in memory that
// the directory owns and counts: NVFP4 with a tensor of factors, and blocks where a plain matrix is
// asked for. So are scales that the kernels do not take in their type. Views of all of them are
// good from the start; their numbers are there after finish().
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/code_forms.h"
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

// Returns rows first, first + 2 ... of a matrix, which is not of blocks.
kernels::WeightMatrix every_second_row(const kernels::WeightMatrix& matrix, int64_t first);

class TensorReader {
 public:
  explicit TensorReader(TensorDirectory& directory, CodeForms forms = {})
      : directory_(directory), forms_(std::move(forms)) {}

  LoadMemory& memory() { return directory_.memory(); }
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
  // A stack of FP4 matrices in groups of 32: codes [count, rows, cols / 32, 16] and their scales
  // [count, rows, cols / 32] under names of their own.
  Result<MatrixStack> fp4_stack(const std::string& codes_name, const std::string& scales_name,
                                int64_t count, int64_t rows, int64_t cols);
  Status vector(const std::string& name, std::vector<int64_t> shape, std::vector<float>& out);
  // All numbers of a tensor, whatever its shape, none of them 0.
  Status scales(const std::string& name, std::vector<float>& out);
  // Expert ids [tokens, slots], each below expert_count.
  Result<const StoredTensor*> expert_table(const std::string& name, int64_t tokens, int64_t slots,
                                           int64_t expert_count);

  // Fails on left-over tensors.
  Status check_all_taken() const { return directory_.check_all_taken(); }
  // Returns the bytes that finish() takes for all that was asked for, without taking them.
  int64_t bytes_to_copy() const;

  // Fails on left-over tensors, then takes memory, decodes vectors and matrices and checks scales
  // and tables.
  Status finish();
  // Returns the bytes that finish() took.
  int64_t copied_bytes() const { return directory_.memory().taken_bytes() + vector_bytes_; }

 private:
  struct VectorJob {
    const StoredTensor* tensor;
    std::vector<float>* out;
  };
  struct MatrixJob {
    const StoredTensor* tensor;
    const StoredTensor* factors;  // a float32 for each matrix of a stack; null: none
    float* out;
  };
  struct TableJob {
    const StoredTensor* tensor;
    int64_t expert_count;
  };
  struct ScaleJob {
    const StoredTensor* tensor;
    float* out;  // null: they are read as they are stored
  };

  // `lead` is empty or [count]: what stands before rows and columns in stored shapes.
  Status read_matrix(const StoredTensor& tensor, const std::string& scale_name,
                     const std::vector<int64_t>& lead, int64_t rows, int64_t cols,
                     kernels::WeightMatrix& out);
  // Blocks hold their own scales; one type may come with a tensor of factors beside them.
  Status read_blocks(const StoredTensor& tensor, const std::string& scale_name,
                     const std::vector<int64_t>& lead, kernels::WeightMatrix& out);
  // Turns the view of a matrix of blocks to where it will be decoded.
  Status decode_later(const StoredTensor& tensor, const StoredTensor* factors,
                      kernels::WeightMatrix& matrix);
  Result<float*> place_for(const StoredTensor& tensor);
  static void decode_matrices(const MatrixJob& job);
  // Codes of one byte, with a scale for each tile.
  Status read_codes(const StoredTensor& tensor, const std::string& scale_name,
                    const std::vector<int64_t>& lead, kernels::WeightMatrix& out);
  // Sets where a matrix's scales are, of a table's columns.
  Status bind_scales(const StoredTensor& scale, const ScaleTable& table,
                     kernels::WeightMatrix& out);
  Result<const StoredTensor*> take_scale(const StoredTensor& weight, const std::string& scale_name);
  Status read_group_scales(const StoredTensor& weight, const std::string& scale_name,
                           std::vector<int64_t> shape, kernels::WeightMatrix& out);
  Status check_content() const;

  TensorDirectory& directory_;
  CodeForms forms_;
  std::vector<VectorJob> vector_jobs_;
  std::vector<MatrixJob> matrix_jobs_;
  std::vector<TableJob> table_jobs_;
  std::vector<ScaleJob> scale_jobs_;
  std::vector<const StoredTensor*> factor_jobs_;
  std::vector<const StoredTensor*> code_jobs_;
  int64_t vector_bytes_ = 0;
};

}  // namespace kvasir
