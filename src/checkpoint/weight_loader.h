// load_weights knows which tensors a model of a given config consists of, and where each of them
// goes.
#pragma once

#include "checkpoint/config.h"
#include "checkpoint/tensor_reader.h"
#include "checkpoint/weights.h"

namespace kvasir {

// Fills `weights` with views into the reader's files and has them all checked. `weights` must not
// move before this returns.
Status load_weights(const ModelConfig& config, TensorReader& reader, ModelWeights& weights);

}  // namespace kvasir
