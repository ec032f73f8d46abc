// fingerprint_of names a model by all that its rows depend on. Two checkpoints with one fingerprint
// write the same cache. Where they lie, how they are cut into files and who runs them does not
// matter.
#pragma once

#include "base/digest.h"
#include "checkpoint/config.h"
#include "checkpoint/tensor_directory.h"

namespace kvasir {

// Hashes the architecture's constants and each tensor in use: name, type, shape, content. Of a
// model up to kWholeContentBytes all content is hashed. Of a larger one, as many pages as are read
// in under a second, spread over all tensors: there a change of few weights may go unnoticed.
Digest256 fingerprint_of(const ModelConfig& config, const TensorDirectory& tensors);

inline constexpr uint64_t kWholeContentBytes = uint64_t{256} << 20;

}  // namespace kvasir
