// These structs are the arguments of the steps of hyper-connections (ops.h). h residual streams are
// mixed around every sub-layer, by weights that hang on the token. The structs own nothing. n:
// tokens of the batch.
#pragma once

#include <cstdint>

#include "kernels/weight_matrix.h"
#include "ops/view.h"

namespace kvasir::ops {

// HyperMixing has the constants of one mixing.
struct HyperMixing {
  const kernels::WeightMatrix& fn;  // [(2 + h) * h, h * D]; a last collapse has [h, h * D]
  const float* base = nullptr;      // [(2 + h) * h]; [h]
  const float* scale = nullptr;     // [3]: pre, post, combine; [1]
};

// A HyperStep has the streams and the buffers of the mixing.
struct HyperStep {
  int64_t stream_count = 0;  // h
  int iterations = 0;
  float eps = 0;
  float norm_eps = 0;
  View<float> streams;      // [n, h * D]
  View<float> mix;          // [n, (2 + h) * h]
  View<float> inverse_rms;  // [n, 1]
  View<float> pre;          // [n, h]
  View<float> post;         // [n, h]
  View<float> combine;      // [n, h * h]

  int64_t width() const { return streams.cols / stream_count; }  // D
};

}  // namespace kvasir::ops
