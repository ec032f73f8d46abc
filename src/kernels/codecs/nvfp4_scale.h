// The scale of all tensors that NVFP4's scales of groups are multiplied by: the largest value that
// a group can have is 64, 6 the largest of a code and 448 that of a scale.
#pragma once

namespace kvasir::kernels {

inline constexpr float kNvfp4TensorScale = 64.0f / (6 * 448);

}  // namespace kvasir::kernels
