// These tables decode a scale byte with one load.
#pragma once

namespace kvasir::kernels {

struct ScaleTables {
  float ue8m0[256];                // [scale byte]: its power of two
  float half_ue8m0[256];           // half of that; 255 is a power of two like the others
  alignas(64) float fp4[256][16];  // [scale byte][FP4 code]: the code's value times the scale
};

extern const ScaleTables kScaleTables;

}  // namespace kvasir::kernels
