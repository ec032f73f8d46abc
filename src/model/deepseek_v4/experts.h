// run_experts computes the expert layer: the routed experts and the shared one
// (deepseek_v4.md section 7).
#pragma once

#include "checkpoint/weights.h"
#include "model/deepseek_v4/context.h"

namespace kvasir::model {

// work.input [n, D] -> work.output [n, D].
void run_experts(Context& context, const MoeWeights& weights);

}  // namespace kvasir::model
