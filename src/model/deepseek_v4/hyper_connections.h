// Hyper-connections mix the h residual streams around every sub-layer (deepseek_v4.md section 2).
// All float32.
#pragma once

#include <span>

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// work.streams -> work.input [n, D]: the mixed streams, normalised with `norm` [D]. Leaves the
// weights of the way back in work.post and work.combine.
void hyper_enter(Pass& pass, const HyperWeights& weights, std::span<const float> norm);

// work.output [n, D] -> work.streams, by the weights that hyper_enter left.
void hyper_leave(Pass& pass);

// The streams of one token -> hidden [D], normalised with `norm` [D]: what the output matrix is
// applied to.
void hyper_collapse_head(Pass& pass, const HyperWeights& weights, std::span<const float> norm,
                         int64_t token, float* hidden);

}  // namespace kvasir::model::deepseek_v4
