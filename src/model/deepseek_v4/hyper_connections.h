// Hyper-connections mix the h residual streams around every sub-layer (deepseek_v4.md section 2).
// All float32.
#pragma once

#include "checkpoint/weights.h"
#include "model/deepseek_v4/context.h"

namespace kvasir::model {

// work.streams -> work.input [n, D]: the mixed streams, normalised with `norm` [D]. Leaves the
// weights of the way back in work.post and work.combine.
void hyper_enter(Context& context, const HyperWeights& weights, const float* norm);

// work.output [n, D] -> work.streams, by the weights that hyper_enter left.
void hyper_leave(Context& context);

// The streams of one token -> hidden [D], normalised with `norm` [D]: what the output matrix is
// applied to.
void hyper_collapse_head(Context& context, const HyperWeights& weights, const float* norm,
                         int64_t token, float* hidden);

}  // namespace kvasir::model
