// Rotations of vectors before they are coded (kv/spec.h): queries are turned with the keys, so that
// products stay what they were; sums of turned values are turned back. Any thread.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"
#include "kv/spec.h"

namespace kvasir::ops {

// vector [width] <- its rotation; back: the inverse.
void rotate(const kernels::KernelTable& table, kv::Rotation rotation, float* vector, int64_t width);
void rotate_back(const kernels::KernelTable& table, kv::Rotation rotation, float* vector,
                 int64_t width);

}  // namespace kvasir::ops
