// The digest of the tensors that a model uses tells two checkpoints of one architecture apart.
#pragma once

#include <cstdint>

#include "base/digest.h"
#include "checkpoint/tensor_directory.h"

namespace kvasir {

// Adds name, type, shape and content of each taken tensor, by name. All the content up to
// kWholeContentBytes; of a larger model as many pages as are read in under a second, spread over
// all tensors, so there a change of few weights may go unnoticed.
void add_tensors(Sha256& hash, const TensorDirectory& tensors);

inline constexpr uint64_t kWholeContentBytes = uint64_t{256} << 20;

}  // namespace kvasir
