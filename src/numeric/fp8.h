// FP8 is E4M3 unless its other form is named. E4M3 is finite only: its largest value is 448, it has
// no infinity, and its NaN is S.1111.111. E5M2 is the upper byte of a half float: its largest value
// is 57344, and it has infinities. UE8M0 is a scale in one byte. These functions convert one number
// at a time and choose a block's scale as models are trained with it; every fast path is tested
// against them.
#pragma once

#include <cstdint>

namespace kvasir {

inline constexpr float kFp8Max = 448.0f;
inline constexpr float kE5m2Max = 57344.0f;

float fp8_decode(uint8_t code);

// Round to nearest, ties to even, saturating at +-448. NaN gives the NaN code of its sign.
uint8_t fp8_encode(float value);

float e5m2_decode(uint8_t code);

// Round to nearest, ties to even, saturating at +-57344. NaN gives the last NaN code of its sign.
uint8_t e5m2_encode(float value);

// 2^(code - 127); 255 is NaN and byte 0 a float32 subnormal.
float ue8m0_decode(uint8_t code);

// The FP8 grid's scale of a block: 2^ceil(log2(max(amax, 1e-4) / 448)), as its UE8M0 byte.
// REQUIRES: amax finite.
uint8_t fp8_grid_scale(float amax);

}  // namespace kvasir
