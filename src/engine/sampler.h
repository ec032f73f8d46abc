// Sampler: from logits to one token id. Allocates when made, not when sampling. One thread at a
// time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvasir/generate.h"
#include "kvasir/result.h"

namespace kvasir {

class Sampler {
 public:
  Sampler(const SamplingOptions& options, int64_t vocab_size);

  // logits [vocab]; position: that of the token to be chosen. Error: a logit that is not finite.
  Result<int32_t> sample(std::span<const float> logits, int64_t position);

 private:
  struct Candidate {
    float logit;
    int32_t id;
    double weight;  // exp((logit - highest) / temperature)
  };

  // The candidates that top_k, top_p and min_p leave, the most likely first, with their weights.
  std::span<Candidate> keep_likely(std::span<const float> logits);
  size_t cut_by_probability(double total_weight);

  SamplingOptions options_;
  std::vector<Candidate> candidates_;  // [vocab]
};

}  // namespace kvasir
