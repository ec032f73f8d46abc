// load_weights knows which tensors a model of a given config consists of, and where each of them
// goes.
#pragma once

#include "checkpoint/tensor_reader.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Fills `weights` with views into the reader's files and has them all checked. `weights` must not
// move before this returns.
Status load_weights(const Config& config, TensorReader& reader, Weights& weights);

}  // namespace kvasir::model::deepseek_v4
