// Runs of BF16 values, as several codecs hold a part of their rows. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/unaligned.h"
#include "numeric/bf16.h"

namespace kvasir::kernels {

// source [size] -> target [2 * size] bytes.
inline void encode_bf16_run(const float* source, int64_t size, std::byte* target) {
  for (int64_t i = 0; i < size; ++i) store_unaligned(target + 2 * i, bf16_encode(source[i]));
}

inline void decode_bf16_run(const std::byte* source, int64_t size, float* target) {
  for (int64_t i = 0; i < size; ++i) {
    target[i] = bf16_decode(load_unaligned<uint16_t>(source + 2 * i));
  }
}

}  // namespace kvasir::kernels
