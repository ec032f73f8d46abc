// What codecs of low rank share with those who learn their bases.
#pragma once

#include <cstdint>

#include "kernels/codecs/codec.h"

namespace kvasir::kernels {

// How many of `width` directions the codec keeps; 0: it is none of low rank.
int64_t rank_of(CodecId codec, int64_t width);

}  // namespace kvasir::kernels
