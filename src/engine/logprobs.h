// logprobs_of tells how likely a model found a token and the likeliest ones: the logarithms of the
// softmax of its logits, summed up in double in the order of the ids, so that equal logits give
// equal bits.
#pragma once

#include <cstdint>
#include <span>

#include "kvasir/generation.h"
#include "kvasir/result.h"

namespace kvasir {

// Error: a logit of the token at `position` that is not finite.
Status check_finite(std::span<const float> logits, int64_t position);

// Returns the index of the highest logit, the lowest one on ties. logits [vocab] of the token at
// `position`. Error: a logit that is not finite.
Result<size_t> highest_logit(std::span<const float> logits, int64_t position);

// Returns the id with its log-probability, and the `top_count` most likely ids, ties to the lower
// id. logits [vocab] of the token at `position`. Error: a logit that is not finite.
Result<SampledToken> logprobs_of(std::span<const float> logits, int64_t position, int32_t id,
                                 int top_count);

}  // namespace kvasir
