// PeakLoops do nothing but what the machine does best. Their speed is the limit that kernels are
// measured against.
#pragma once

#include <cstdint>

namespace kvasir::kernels {

struct PeakLoops {
  // Each does `rounds` rounds of independent work in registers and returns how many multiply-adds
  // that was. `sink` [1] takes a value that depends on all of them.
  int64_t (*multiply_add_floats)(int64_t rounds, float* sink);
  int64_t (*multiply_add_bytes)(int64_t rounds, float* sink);
  // Reads all of data [size] once.
  float (*sum)(const float* data, int64_t size);
};

}  // namespace kvasir::kernels
