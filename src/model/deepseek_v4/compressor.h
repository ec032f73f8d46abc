// compress pools groups of tokens into one row each (deepseek_v4.md section 4). It makes the rows
// of CSA and HCA layers and, with its own weights and width, the index keys.
#pragma once

#include <cstdint>

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Takes the sub-layer input of every token of the pass. Writes the rows (or keys) that the pass
// completes into a stream of the sequences, and keeps in its rings what later groups need. `kind`
// is the layer's, a compressed one.
void compress(Pass& pass, LayerKind kind, int64_t stream, const CompressorWeights& weights);

}  // namespace kvasir::model::deepseek_v4
