// run_attention computes the attention of one layer: queries, the raw row of every new token,
// compressed rows, the attended sum, and the grouped output projection (deepseek_v4.md section 3).
#pragma once

#include <cstdint>

#include "kvasir/result.h"
#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Reads work.input [n, D] and writes work.output [n, D] and the layer's rows of all sequences of
// the pass. Error: rows that are not in memory could not be read.
Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights);

}  // namespace kvasir::model::deepseek_v4
