// find_weights knows which tensors a model of a given config consists of, and where each of them
// goes.
#pragma once

#include "checkpoint/tensor_reader.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Fills `weights` with views into the reader's files; no number is read. `weights` must not move
// before the reader has finished. Errors name file and tensor; a tensor that no model of this
// config has is one.
Status find_weights(const Config& config, TensorReader& reader, Weights& weights);

}  // namespace kvasir::model::deepseek_v4
