#include "eval/token_comparison.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace kvasir::eval {
namespace {

// log(sum of exp(logits))
double log_sum(std::span<const float> logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return std::log(sum) + highest;
}

}  // namespace

int64_t best_token(std::span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

double token_nats(std::span<const float> logits, int32_t target) {
  return log_sum(logits) - logits[static_cast<size_t>(target)];
}

// With logits r of the baseline, q of the other and p = softmax(r):
//   KL = sum p (log p - log softmax(q)) = sum p (r - q) + log_sum(q) - log_sum(r)
TokenComparison compare_logits(std::span<const float> baseline, std::span<const float> logits,
                               int32_t target) {
  KVASIR_CHECK(baseline.size() == logits.size(), "logits of one vocabulary");
  const int64_t baseline_best = best_token(baseline);
  const float highest = baseline[static_cast<size_t>(baseline_best)];
  double sum = 0;
  double weighted = 0;
  for (size_t i = 0; i < baseline.size(); ++i) {
    const double weight = std::exp(static_cast<double>(baseline[i]) - highest);
    sum += weight;
    weighted += weight * (static_cast<double>(baseline[i]) - logits[i]);
  }
  const double baseline_log_sum = std::log(sum) + highest;
  const double other_log_sum = log_sum(logits);
  const auto place = static_cast<size_t>(target);
  return {.kl = std::max(0.0, weighted / sum + (other_log_sum - baseline_log_sum)),
          .nats = other_log_sum - logits[place],
          .baseline_nats = baseline_log_sum - baseline[place],
          .has_same_best = best_token(logits) == baseline_best};
}

}  // namespace kvasir::eval
