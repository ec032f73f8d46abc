// RoleTensors finds the tensors of a role: a norm, a matrix, a projection with its bias, whichever
// way round and under whichever name the checkpoint keeps them. It borrows all that it is made of.
// One thread. Targets of vectors stay where they are until the reader has finished.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_reader.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"
#include "model/decoder/tensor_names.h"
#include "model/decoder/turned_matrices.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

inline std::string joined(std::string_view at, std::string_view name) {
  return std::string(at) + std::string(name);
}

class RoleTensors {
 public:
  RoleTensors(const Config& config, TensorReader& reader, TurnedMatrices& turned)
      : config_(config), reader_(reader), turned_(turned), names_(tensor_names_of(config)) {}

  const Config& config() const { return config_; }
  const TensorNames& names() const { return names_; }
  TensorReader& reader() { return reader_; }
  TurnedMatrices& turned() { return turned_; }

  // `stem` is a name without ".weight" and ".bias".
  Status norm(std::string_view stem, int64_t size, NormWeights& out);
  // A norm of heads, which are never layer norms.
  Status head_norm(const std::string& stem, int64_t size, NormWeights& out);
  Status matrix(const std::string& stem, int64_t rows, int64_t cols, kernels::WeightMatrix& out);
  // Of GGUF files those biases count that are there.
  Status bias(const std::string& stem, int64_t rows, bool has_bias, std::vector<float>& out);
  Status product(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                 kernels::WeightMatrix& matrix, std::vector<float>& bias);
  Status projection(const std::string& stem, int64_t rows, int64_t cols, bool has_bias,
                    Projection& out);

 private:
  const Config& config_;
  TensorReader& reader_;
  TurnedMatrices& turned_;
  const TensorNames names_;
};

// A RoleLoader has at hand what a loader of one kind of weights reads.
class RoleLoader {
 protected:
  explicit RoleLoader(RoleTensors& tensors)
      : tensors_(tensors),
        config_(tensors.config()),
        names_(tensors.names()),
        reader_(tensors.reader()),
        turned_(tensors.turned()) {}

  RoleTensors& tensors_;
  const Config& config_;
  const TensorNames& names_;
  TensorReader& reader_;
  TurnedMatrices& turned_;
};

}  // namespace kvasir::model::decoder
