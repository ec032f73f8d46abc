// Numbers of tensors for the GGUF models of tests: out of what a safetensors file holds, and into
// what a GGUF file does. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint_maker.h"

namespace kvasir::testing {

// `scale`: of FP8 and FP4, else null.
std::vector<float> numbers_of(const TinyTensor& tensor, const TinyTensor* scale);

// Plain types, and MXFP4 for numbers of its grid, hold `numbers`. Other blocks hold small numbers
// of their own, which depend on `name` alone. gguf_type: as ggml numbers them.
std::vector<std::byte> gguf_data(uint32_t gguf_type, std::span<const float> numbers,
                                 std::string_view name);
std::vector<float> gguf_numbers(uint32_t gguf_type, std::span<const std::byte> data);

}  // namespace kvasir::testing
