// These tables decode a scale byte with one load.
#pragma once

namespace kvasir::kernels {

struct ScaleTables {
  float ue8m0[256];                // [scale byte]: its power of two
  float half_ue8m0[256];           // half of that; 255 is a power of two like the others
  float nvfp4[256];                // [E4M3 byte]: the scale of an NVFP4 group
  alignas(64) float fp4[256][16];  // [scale byte][FP4 code]: the code's value times the scale
  alignas(64) float turbo[5][16];  // [bits][code]: TurboQuant's codebooks of 2 to 4 bits
};

extern const ScaleTables kScaleTables;

}  // namespace kvasir::kernels
