// The fingerprint names a model by all that its rows depend on. Two checkpoints with one
// fingerprint write the same cache. Where they lie, how they are cut into files and who runs them
// does not matter.
#pragma once

#include "base/digest.h"
#include "checkpoint/tensor_directory.h"
#include "model/deepseek_v4/config.h"

namespace kvasir::model::deepseek_v4 {

// Hashes the architecture's constants and each tensor in use (checkpoint/tensor_digest.h).
Digest256 fingerprint_of(const Config& config, const TensorDirectory& tensors);

}  // namespace kvasir::model::deepseek_v4
