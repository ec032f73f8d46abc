#include "model/decoder/role_tensors.h"

namespace kvasir::model::decoder {

using kernels::WeightMatrix;

Status RoleTensors::norm(std::string_view stem, int64_t size, NormWeights& out) {
  KVASIR_RETURN_IF_ERROR(reader_.vector(joined(stem, ".weight"), {size}, out.weight));
  if (config_.norm != ops::NormKind::kLayer) return ok_status();
  return reader_.vector(joined(stem, ".bias"), {size}, out.bias);
}

Status RoleTensors::head_norm(const std::string& stem, int64_t size, NormWeights& out) {
  return reader_.vector(stem + ".weight", {size}, out.weight);
}

Status RoleTensors::matrix(const std::string& stem, int64_t rows, int64_t cols, WeightMatrix& out) {
  if (!names_.is_transposed) return reader_.matrix(stem, rows, cols, out);
  WeightMatrix stored;
  KVASIR_RETURN_IF_ERROR(reader_.plain_matrix(stem + ".weight", cols, rows, stored));
  return turned_.add(stored, 0, 1, out);
}

Status RoleTensors::bias(const std::string& stem, int64_t rows, bool has_bias,
                         std::vector<float>& out) {
  const std::string name = stem + ".bias";
  const bool is_there = config_.is_gguf ? reader_.has(name) : has_bias;
  return is_there ? reader_.vector(name, {rows}, out) : ok_status();
}

Status RoleTensors::product(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                            WeightMatrix& matrix_out, std::vector<float>& bias_out) {
  KVASIR_RETURN_IF_ERROR(matrix(stem, rows, cols, matrix_out));
  return bias(stem, rows, has_bias, bias_out);
}

Status RoleTensors::projection(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                               Projection& out) {
  return product(stem, rows, cols, has_bias, out.parts.emplace_back(), out.bias);
}

}  // namespace kvasir::model::decoder
