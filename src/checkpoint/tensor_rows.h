// decode_rows reads rows of a stored tensor as float32: what is left of any type of weights where
// no kernel takes it as it is stored, and a few rows of large tables. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "checkpoint/tensor_info.h"

namespace kvasir {

// Whether the type says all that its numbers are: plain floats, and blocks with their own scales.
// FP8 and packed FP4 need a second tensor.
bool is_decodable(Dtype dtype);

// Items of a row, the last extent; 1 for a single number. How many rows all other extents give.
int64_t row_items(const TensorInfo& tensor);
int64_t row_count(const TensorInfo& tensor);

// Rows [first, first + count) to out [count, row_items]. bytes: all of the tensor.
// REQUIRES: is_decodable(tensor.dtype), rows that are there.
void decode_rows(const TensorInfo& tensor, std::span<const std::byte> bytes, int64_t first,
                 int64_t count, float* out);

}  // namespace kvasir
