// The numbers of NVFP4: codes that share a scale, and the scale of all tensors that the scales of
// groups are multiplied by. With it the largest value that a group can have is 64, 6 the largest of
// a code and 448 that of a scale.
#pragma once

#include <cstdint>

namespace kvasir::kernels {

inline constexpr int64_t kNvfp4GroupSize = 16;
inline constexpr float kNvfp4TensorScale = 64.0f / (6 * 448);

}  // namespace kvasir::kernels
