// FP4 (E2M1) has the values 0, .5, 1, 1.5, 2, 3, 4, 6 and their negatives; bit 3 is the sign. Two
// codes share a byte, the even element in the low nibble, and 32 elements share a UE8M0 scale.
// These functions convert one number at a time; every fast path is tested against them.
#pragma once

#include <cstdint>

namespace kvasir {

inline constexpr float kFp4Max = 6.0f;
inline constexpr int64_t kFp4GroupSize = 32;

// REQUIRES: code < 16.
float fp4_decode(uint8_t code);

// Round to nearest, ties to the even code, saturating at +-6. NaN gives 0.
uint8_t fp4_encode(float value);

// The FP4 grid's scale of a group: 2^ceil(log2(max(amax, 6 * 2^-126) / 6)), as its UE8M0 byte.
// REQUIRES: amax finite.
uint8_t fp4_grid_scale(float amax);

}  // namespace kvasir
