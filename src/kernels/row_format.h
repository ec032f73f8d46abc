// RowFormat and KeyFormat say how a cached row and an index key lie in memory. The functions here
// encode and decode them one number at a time; the attention kernels are tested against them.
//
// A native row has (dim - rope_dim) E4M3 codes, rope_dim BF16 little-endian, one UE8M0 scale per 64
// codes, and zeros up to a multiple of 8 bytes. A native key has packed E2M1 codes, then one UE8M0
// scale per 32. They take 584 and 68 bytes for Flash. `bf16` and `f32` rows and keys are plain
// arrays of that type.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir::kernels {

enum class CachePrecision : uint8_t { kNative, kBf16, kF32 };

inline constexpr int64_t kRowScaleGroupSize = 64;

struct RowFormat {
  CachePrecision precision = CachePrecision::kNative;
  int64_t dim = 0;       // d
  int64_t rope_dim = 0;  // r, the last dims of the row

  int64_t code_count() const { return dim - rope_dim; }
  int64_t scale_count() const {
    return (code_count() + kRowScaleGroupSize - 1) / kRowScaleGroupSize;
  }
  int64_t bytes() const;
};

struct KeyFormat {
  CachePrecision precision = CachePrecision::kNative;
  int64_t dim = 0;  // di

  int64_t scale_count() const;
  int64_t bytes() const;
};

// source [dim] -> row [format.bytes()], every byte written. REQUIRES: finite source.
void encode_row(const RowFormat& format, const float* source, std::byte* row);
// row -> target [dim]; exact.
void decode_row(const RowFormat& format, const std::byte* row, float* target);

// source [dim] (after the Hadamard transform) -> key [format.bytes()]. REQUIRES: finite source.
void encode_key(const KeyFormat& format, const float* source, std::byte* key);
void decode_key(const KeyFormat& format, const std::byte* key, float* target);

}  // namespace kvasir::kernels
