// load_weights takes the tensors of a decoder out of a directory.
#pragma once

#include "checkpoint/tensor_reader.h"
#include "kvasir/result.h"
#include "model/decoder/turned_matrices.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

// Fills `weights`, which stays where it is, and `turned`: matrices that the file has the other
// way round. Errors name file and tensor.
Status load_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned);

}  // namespace kvasir::model::decoder
