// hyper_enter and hyper_leave mix the h residual streams before and after every sub-layer
// (deepseek_v4.md section 2), in float32.
#pragma once

#include <span>

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Mixes work.streams into work.input [n, D], normalised with `norm` [D]. Leaves the weights of the
// way back in work.post and work.combine.
void hyper_enter(Pass& pass, const HyperWeights& weights, std::span<const float> norm);

// Mixes work.output [n, D] into work.streams, by the weights that hyper_enter left.
void hyper_leave(Pass& pass);

// Mixes the streams of one token for good into hidden [D], normalised with `norm` [D]. The output
// matrix is applied to it.
void hyper_collapse_head(Pass& pass, const HyperWeights& weights, std::span<const float> norm,
                         int64_t token, float* hidden);

}  // namespace kvasir::model::deepseek_v4
