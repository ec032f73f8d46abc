// A Product is one of several with the same x (ops.h, matmul_all). It owns nothing.
#pragma once

#include "kernels/weight_matrix.h"
#include "ops/view.h"

namespace kvasir::ops {

struct Product {
  const kernels::WeightMatrix& weight;
  View<float> y;  // [n, weight.rows]
};

}  // namespace kvasir::ops
