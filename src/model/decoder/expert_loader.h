// load_experts takes the tensors of a layer's router and experts, in whichever of the published
// forms they are stored.
#pragma once

#include <string>

#include "kvasir/result.h"
#include "model/decoder/role_tensors.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

// `at` is the name so far: "layers.3.". Errors name file and tensor.
Status load_experts(RoleTensors& tensors, const std::string& at, ExpertsWeights& weights);

// What cannot be done before the vectors are read: biases that came together are split, and the
// experts point to theirs.
void finish_experts(const RoleTensors& tensors, ExpertsWeights& weights);

}  // namespace kvasir::model::decoder
