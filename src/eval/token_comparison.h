// compare_logits says how far one run's prediction of a token is from another's. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace kvasir::eval {

// The most likely token; of equals the first.
int64_t best_token(std::span<const float> logits);

// The loss of the token that came. [vocab]
double token_nats(std::span<const float> logits, int32_t target);

struct TokenComparison {
  double kl = 0;  // KL(baseline || other), in nats; exactly 0 where the logits are the same
  double nats = 0;
  double baseline_nats = 0;
  bool has_same_best = false;
};

// REQUIRES: as many of each, finite, and the target among them.
TokenComparison compare_logits(std::span<const float> baseline, std::span<const float> logits,
                               int32_t target);

}  // namespace kvasir::eval
