// load_attention takes the tensors of a layer's attention, with heads or with latents.
#pragma once

#include <string>

#include "kvasir/result.h"
#include "model/decoder/role_tensors.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

// `at` is the name so far: "layers.3.". Errors name file and tensor.
Status load_attention(RoleTensors& tensors, const std::string& at, AttentionWeights& weights);
// The same of a layer's indexer.
Status load_indexer(RoleTensors& tensors, const std::string& at, IndexerWeights& weights);

// What cannot be done before the vectors are read: a fused bias is cut.
void finish_attention(const RoleTensors& tensors, AttentionWeights& weights);

}  // namespace kvasir::model::decoder
