// The uneven table that four-bit codes of the IQ4 types choose from; its makers chose it so that
// values that are spread like weights lose little. A constant.
#pragma once

namespace kvasir::blocks {

// Ascending; code i means entry i.
inline constexpr float kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace kvasir::blocks
