// A Dtype names how the numbers of a tensor are stored, whatever kind of file holds it.
#pragma once

#include <cstdint>

namespace kvasir {

enum class Dtype : uint8_t {
  // One number after the other.
  kF32,
  kF16,
  kBf16,
  kF8E4m3,
  kF8E8m0,
  kI8,
  kU8,
  kI32,
  kI64,
  // Blocks that hold their own scales (numeric/blocks/block_type.h).
  kQ1_0,
  kQ2_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2K,
  kQ3K,
  kQ4K,
  kQ5K,
  kQ6K,
  kIq1S,
  kIq1M,
  kIq2Xxs,
  kIq2Xs,
  kIq2S,
  kIq3Xxs,
  kIq3S,
  kIq4Nl,
  kIq4Xs,
  kMxfp4,
  kNvfp4,
  kTq1_0,
  kTq2_0,

  kOther,  // allowed in a file, but in no tensor that is used
};

}  // namespace kvasir
