// Fingerprint of a model: what its rows depend on. Two checkpoints with one fingerprint write the
// same cache; where they lie, how they are sharded and who runs them does not matter.
#pragma once

#include "base/digest.h"
#include "checkpoint/config.h"
#include "checkpoint/tensor_directory.h"

namespace kvasir {

// Hashes the architecture's constants and each tensor in use: name, type, shape, content. All the
// content up to kWholeContentBytes; of a larger model as many pages as are read in under a second,
// spread over all tensors, so there a change of few weights may go unnoticed.
Digest256 fingerprint_of(const ModelConfig& config, const TensorDirectory& tensors);

inline constexpr uint64_t kWholeContentBytes = uint64_t{256} << 20;

}  // namespace kvasir
