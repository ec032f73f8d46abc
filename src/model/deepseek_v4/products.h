// products_of lists the matrices that a DeepSeek-V4 multiplies with. Pure.
#pragma once

#include <vector>

#include "kernels/weight_matrix.h"

namespace kvasir::model::deepseek_v4 {

struct Weights;

// Those that every token meets first, then the routed experts'.
std::vector<kernels::WeightMatrix*> products_of(Weights& weights);

}  // namespace kvasir::model::deepseek_v4
