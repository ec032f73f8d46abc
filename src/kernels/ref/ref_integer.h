// The plain loops of integer products, for the table in ref.cc alone. Reentrant.
#pragma once

#include "kernels/kernels.h"

namespace kvasir::kernels {

void ref_round_activations(const float* x, int64_t cols, int bytes, std::byte* groups);
void ref_integer_matmul(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end,
                        uint8_t* scratch);

}  // namespace kvasir::kernels
