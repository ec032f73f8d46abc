#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace kvasir {
namespace {

// SplitMix64's finaliser over seed and position: a counter-based generator needs no state that a
// resume would have to carry.
double uniform_draw(uint64_t seed, int64_t position) {
  return unit_interval(mix_bits(mix_bits(seed) ^ static_cast<uint64_t>(position)));
}

Error out_of_range(const char* field, const char* expected, double found) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "sampling option out of range",
               .field = field,
               .expected = expected,
               .found = std::to_string(found)};
}

}  // namespace

Status check(const SamplingOptions& options) {
  // Written so that a NaN fails too.
  if (!(options.temperature >= 0 && options.temperature <= 100)) {
    return out_of_range("temperature", "0 to 100", options.temperature);
  }
  if (options.top_k < 0) {
    return out_of_range("top_k", "0 or more", static_cast<double>(options.top_k));
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return out_of_range("top_p", "above 0, at most 1", options.top_p);
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    return out_of_range("min_p", "0 to 1", options.min_p);
  }
  return ok_status();
}

Sampler::Sampler(const SamplingOptions& options, int64_t vocab_size) : options_(options) {
  candidates_.reserve(static_cast<size_t>(vocab_size));
}

Result<int32_t> Sampler::sample(std::span<const float> logits, int64_t position) {
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the model computed a logit that is not finite",
                   .where = "token position " + std::to_string(position),
                   .remedy = "its weights are damaged or its activations overflow"};
    }
    if (logits[i] > logits[best]) best = i;
  }
  if (options_.temperature == 0) return static_cast<int32_t>(best);

  const std::span<Candidate> kept = keep_likely(logits);
  double total = 0;
  for (const Candidate& candidate : kept) total += candidate.weight;
  double left = uniform_draw(options_.seed, position) * total;
  for (const Candidate& candidate : kept) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return kept.back().id;
}

std::span<Sampler::Candidate> Sampler::keep_likely(std::span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({logits[i], static_cast<int32_t>(i), 0});
  }
  const auto more_likely = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const auto limit = static_cast<size_t>(options_.top_k);
  if (limit > 0 && limit < candidates_.size()) {
    const auto end = candidates_.begin() + static_cast<int64_t>(limit);
    std::nth_element(candidates_.begin(), end, candidates_.end(), more_likely);
    candidates_.resize(limit);
  }
  std::sort(candidates_.begin(), candidates_.end(), more_likely);
  const double highest = candidates_.front().logit;
  double total = 0;
  for (Candidate& candidate : candidates_) {
    candidate.weight = std::exp((candidate.logit - highest) / options_.temperature);
    total += candidate.weight;
  }
  return {candidates_.data(), cut_by_probability(total)};
}

size_t Sampler::cut_by_probability(double total_weight) {
  size_t count = 0;
  for (double sum = 0; count < candidates_.size(); ++count) {
    // The most likely one always stays.
    if (count > 0 && sum >= options_.top_p * total_weight) break;
    if (candidates_[count].weight < options_.min_p * candidates_.front().weight) break;
    sum += candidates_[count].weight;
  }
  return count;
}

}  // namespace kvasir
