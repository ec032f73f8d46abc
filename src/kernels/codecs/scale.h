// Scales of codecs: half floats, rounded before anything is divided by them, so that encoder and
// decoder agree. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/unaligned.h"
#include "numeric/f16.h"

namespace kvasir::kernels {

// Beyond the range of half floats: their largest.
inline float f16_rounded(float value) { return f16_decode(f16_encode(value)); }

inline void put_f16(std::byte* out, float value) { store_unaligned(out, f16_encode(value)); }
inline float get_f16(const std::byte* in) { return f16_decode(load_unaligned<uint16_t>(in)); }

// What values are divided by: a group of zeros has the scale 0 and codes of 0.
inline float divisor_of(float scale) { return scale == 0 ? 1 : scale; }

}  // namespace kvasir::kernels
