// What a TensorReader asks of tensors, and the errors that name the tensor which does not have it.
// Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/tensor_directory.h"
#include "kvasir/result.h"

namespace kvasir {

Error wrong_type(const StoredTensor& tensor, const std::string& expected);
Error wrong_shape(const StoredTensor& tensor, std::string expected);
// `byte_index`: where in the tensor the value lies.
Error bad_value(const StoredTensor& tensor, size_t byte_index, const char* expected,
                std::string found);

// A stack of one matrix may be stored as that matrix.
bool has_shape(const StoredTensor& tensor, std::span<const int64_t> expected);
Status check_shape(const StoredTensor& tensor, std::span<const int64_t> expected);

// Content. Numbers of floats: finite.
Status check_factors(const StoredTensor& tensor);
// Scales in any type: finite and not 0.
Status check_scales(const StoredTensor& tensor);
// E4M3 codes: no NaN.
Status check_fp8_codes(const StoredTensor& tensor);
Status check_expert_ids(const StoredTensor& tensor, int64_t expert_count);

}  // namespace kvasir
