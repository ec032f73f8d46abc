// products_of lists the matrices that a decoder multiplies with. Pure.
#pragma once

#include <vector>

#include "kernels/weight_matrix.h"

namespace kvasir::model::decoder {

struct Weights;

// Those that every token meets first, then the experts'.
std::vector<kernels::WeightMatrix*> products_of(Weights& weights);

}  // namespace kvasir::model::decoder
