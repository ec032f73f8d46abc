// find_weights takes the tensors of a decoder out of a directory; read_weights reads their numbers.
#pragma once

#include "checkpoint/tensor_reader.h"
#include "kvasir/result.h"
#include "model/decoder/turned_matrices.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

// Fills `weights`, which stays where it is, with views, and `turned` with matrices that the file
// has the other way round. No number is read or copied: reader.bytes_to_copy() says what that will
// take. Errors name file and tensor; a tensor that no model of this config has is one.
Status find_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned);
// Reads what find_weights found. Errors name file and tensor; no memory.
Status read_weights(const Config& config, TensorReader& reader, Weights& weights,
                    TurnedMatrices& turned);

}  // namespace kvasir::model::decoder
