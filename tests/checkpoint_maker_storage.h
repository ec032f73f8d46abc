// Stores matrices of the checkpoint maker in the types a checkpoint may hold. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/weight_matrix.h"

namespace kvasir::testing {

// One matrix, or several of one shape back to back, before it is stored.
struct Values {
  std::vector<int64_t> shape;
  std::vector<float> numbers;

  int64_t rows() const { return shape[shape.size() - 2]; }
  int64_t cols() const { return shape.back(); }
  int64_t matrix_count() const { return shape.size() == 3 ? shape[0] : 1; }
};

// One scale per tile of each matrix.
struct Scales {
  std::vector<int64_t> shape;
  std::vector<std::byte> data;
  std::vector<float> numbers;
};

bool has_scales(kernels::WeightFormat format);

// REQUIRES: !has_scales(format).
std::string plain_dtype(kernels::WeightFormat format);
std::vector<std::byte> encode_plain(const std::vector<float>& numbers,
                                    kernels::WeightFormat format);

// REQUIRES: has_scales(format).
Scales make_scales(const Values& values, kernels::WeightFormat format);
std::vector<std::byte> encode_scaled(const Values& values, const Scales& scales,
                                     kernels::WeightFormat format);

template <class T>
void append(std::vector<std::byte>& out, T value) {
  const size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

}  // namespace kvasir::testing
