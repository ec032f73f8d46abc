// Rotations of vectors before they are coded (kv/spec.h): queries are turned with the keys, so that
// products stay what they were; sums of turned values are turned back. Any thread.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"
#include "kv/spec.h"

namespace kvasir::kv {

// Numbers of a stream's vectors that are mixed with each other. A part that is turned by position
// begins with a block of its own, as sums of vectors may hold the other part alone.
int64_t rotation_block(const Stream& stream);

// vector [size] <- its rotation; back: the inverse. REQUIRES: whole blocks.
void rotate(const kernels::KernelTable& table, Rotation rotation, int64_t block, float* vector,
            int64_t size);
void rotate_back(const kernels::KernelTable& table, Rotation rotation, int64_t block, float* vector,
                 int64_t size);

}  // namespace kvasir::kv
