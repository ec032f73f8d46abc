// run_experts computes the expert layer: the routed experts and the shared one
// (deepseek_v4.md section 7).
#pragma once

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Reads work.input [n, D] and writes work.output [n, D].
void run_experts(Pass& pass, const MoeWeights& weights);

}  // namespace kvasir::model::deepseek_v4
