#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/check.h"
#include "base/random.h"
#include "engine/logit_scan.h"
#include "engine/logprobs.h"
#include "numeric/elementary.h"

namespace kvasir {
namespace {

// Of a logit below the highest, in temperatures: what is further weighs next to nothing.
constexpr double kReachMax = 64;

// Most draws end among so many of the most likely, and so few are quickly sorted.
constexpr size_t kSortedAtOnce = 64;

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

Status check_penalties(const SamplingOptions& options) {
  if (!(options.presence_penalty >= -2 && options.presence_penalty <= 2)) {
    return out_of_range("presence_penalty", "-2 to 2", options.presence_penalty);
  }
  if (!(options.frequency_penalty >= -2 && options.frequency_penalty <= 2)) {
    return out_of_range("frequency_penalty", "-2 to 2", options.frequency_penalty);
  }
  if (!(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty))) {
    return out_of_range("repetition_penalty", "above 0, finite", options.repetition_penalty);
  }
  return ok_status();
}

Status check_biases(const std::vector<LogitBias>& biases) {
  for (const auto& [id, bias] : biases) {
    if (id < 0) return out_of_range("logit_bias", "token ids of 0 or more", id);
    if (!(bias >= -100 && bias <= 100)) return out_of_range("logit_bias", "-100 to 100", bias);
  }
  return ok_status();
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
  KVASIR_RETURN_IF_ERROR(check_penalties(options));
  return check_biases(options.logit_bias);
}

Sampler::Sampler(const SamplingOptions& options, int64_t vocab_size)
    : options_(options), vocab_size_(vocab_size) {
  if (LogitAdjuster::is_needed(options)) adjuster_.emplace(options, vocab_size);
  if (options.temperature > 0) candidates_.reserve(static_cast<size_t>(vocab_size));
  const size_t blocks = static_cast<size_t>(vocab_size) / kLogitBlock + 1;
  maxima_.reserve(blocks);
  if (options.top_k > 0) ordered_maxima_.reserve(blocks);
}

void Sampler::set_prompt(std::span<const int32_t> prompt) {
  if (adjuster_) adjuster_->set_prompt(prompt);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, int64_t position,
                                const grammar::TokenMask* allowed) {
  KVASIR_CHECK(!logits.empty() && std::ssize(logits) <= vocab_size_ && position >= 0,
               "logits of the vocabulary");
  KVASIR_RETURN_IF_ERROR(check_finite(logits, position));
  if (adjuster_) logits = adjuster_->adjust(logits);
  if (allowed != nullptr) logits = only_allowed(logits, *allowed);
  block_maxima(logits, maxima_);
  const size_t best = highest_place(logits, maxima_);
  if (logits[best] == kForbiddenLogit) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "every token is forbidden",
                 .field = adjuster_ ? "logit_bias" : "grammar",
                 .expected = "a token that may be sampled"};
  }
  const int32_t id = choose(logits, best, position);
  if (adjuster_) adjuster_->add(id);
  return id;
}

std::span<const float> Sampler::only_allowed(std::span<const float> logits,
                                             const grammar::TokenMask& allowed) {
  allowed_logits_.assign(logits.size(), kForbiddenLogit);
  for (size_t begin = 0; begin < logits.size(); begin += 64) {
    uint64_t word = allowed.word(begin / 64);
    if (word == ~uint64_t{0} && begin + 64 <= logits.size()) {
      std::copy_n(logits.data() + begin, 64, allowed_logits_.data() + begin);
      continue;
    }
    for (; word != 0; word &= word - 1) {
      const size_t id = begin + static_cast<size_t>(std::countr_zero(word));
      if (id < logits.size()) allowed_logits_[id] = logits[id];
    }
  }
  return allowed_logits_;
}

int32_t Sampler::choose(std::span<const float> logits, size_t best, int64_t position) {
  if (options_.temperature == 0) return static_cast<int32_t>(best);
  const double uniform = uniform_draw(options_.seed, position);
  if (options_.top_k == 0) {
    const std::optional<int32_t> id = draw_of_most_likely(logits, logits[best], uniform);
    if (id) return *id;
  }
  fill_candidates(logits, kth_maximum());
  if (options_.top_k > 0 && options_.top_k < std::ssize(candidates_)) {
    const auto end = candidates_.begin() + options_.top_k;
    std::nth_element(candidates_.begin(), end, candidates_.end(), is_more_likely);
    candidates_.erase(end, candidates_.end());
  }
  weigh(logits[best]);
  const double total = weight_of(0, candidates_.size());
  if (const std::optional<int32_t> id = draw_unsorted(uniform, total, 0)) return *id;
  std::sort(candidates_.begin(), candidates_.end(), is_more_likely);
  return draw_in_order(uniform);
}

float Sampler::kth_maximum() {
  if (options_.top_k == 0 || options_.top_k > std::ssize(maxima_)) return kForbiddenLogit;
  ordered_maxima_ = maxima_;
  const auto kth = ordered_maxima_.begin() + options_.top_k - 1;
  std::nth_element(ordered_maxima_.begin(), kth, ordered_maxima_.end(), std::greater<>());
  return *kth;
}

std::optional<int32_t> Sampler::draw_of_most_likely(std::span<const float> logits, float highest,
                                                    double uniform) {
  const double total = sum_of_weights(logits, highest, options_.temperature);
  // As many as top_p or min_p may need, or as most draws fall on.
  double reach = 4;
  if (options_.min_p > 0) reach = std::max(reach, 1 - numeric::log(options_.min_p));
  for (; reach <= kReachMax; reach *= 2) {
    fill_candidates(logits, static_cast<float>(highest - reach * options_.temperature));
    if (std::ssize(candidates_) > std::ssize(logits) / 4) return std::nullopt;
    weigh(highest);
    const std::optional<int32_t> id = draw_unsorted(uniform, total, kWeightSumError * total);
    if (id) return id;
  }
  return std::nullopt;
}

bool Sampler::is_more_likely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void Sampler::fill_candidates(std::span<const float> logits, float lowest) {
  candidates_.clear();
  for (size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] < lowest) continue;
    const size_t end = std::min((block + 1) * kLogitBlock, logits.size());
    for (size_t i = block * kLogitBlock; i < end; ++i) {
      if (logits[i] < lowest || logits[i] == kForbiddenLogit) continue;
      candidates_.push_back({logits[i], static_cast<int32_t>(i), 0});
    }
  }
}

void Sampler::weigh(double highest) {
  for (Candidate& candidate : candidates_) {
    candidate.weight = numeric::exp((candidate.logit - highest) / options_.temperature);
  }
}

double Sampler::weight_of(size_t begin, size_t end) const {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += candidates_[i].weight;
  return sum;
}

// ---- the definition ----

int32_t Sampler::draw_in_order(double uniform) const {
  const size_t count = cut_by_probability(weight_of(0, candidates_.size()));
  double left = uniform * weight_of(0, count);
  for (size_t i = 0; i < count; ++i) {
    left -= candidates_[i].weight;
    if (left < 0) return candidates_[i].id;
  }
  return candidates_[count - 1].id;
}

size_t Sampler::cut_by_probability(double total_weight) const {
  size_t count = 0;
  for (double sum = 0; count < candidates_.size(); ++count) {
    // The most likely one always stays.
    if (count > 0 && sum >= options_.top_p * total_weight) break;
    if (candidates_[count].weight < options_.min_p * candidates_.front().weight) break;
    sum += candidates_[count].weight;
  }
  return count;
}

// ---- without sorting ----

std::optional<int32_t> Sampler::draw_unsorted(double uniform, double total, double total_error) {
  size_t count = candidates_.size();
  // Two sums of n weights, or walks down from them, in different orders are apart by less: up to 4n
  // roundings of half an epsilon each. Twice that is allowed for.
  const double error =
      4 * static_cast<double>(vocab_size_) * std::numeric_limits<double>::epsilon() * total +
      total_error;
  double kept = total;
  if (options_.min_p > 0) {
    // The most likely one weighs 1.
    const auto end =
        std::partition(candidates_.begin(), candidates_.end(),
                       [&](const Candidate& one) { return one.weight >= options_.min_p; });
    count = static_cast<size_t>(end - candidates_.begin());
    kept = weight_of(0, count);
  }
  if (options_.top_p < 1 && kept > options_.top_p * total - error) {
    const std::optional<Crossing> cut = cross(options_.top_p * total, count, error);
    if (!cut) return std::nullopt;
    count = cut->index + 1;
    kept = cut->weight;
  }
  const std::optional<Crossing> drawn = cross(uniform * kept, count, error);
  if (!drawn) return std::nullopt;
  return candidates_[drawn->index].id;
}

std::optional<Sampler::Crossing> Sampler::cross(double wanted, size_t count, double error) {
  const auto at = [this](size_t i) { return candidates_.begin() + static_cast<int64_t>(i); };
  size_t begin = 0;
  size_t end = count;
  double before = 0;  // weight of the candidates in front of `begin`
  for (size_t middle = kSortedAtOnce; end - begin > kSortedAtOnce;
       middle = begin + (end - begin) / 2) {
    std::nth_element(at(begin), at(middle), at(end), is_more_likely);
    const double weight = before + weight_of(begin, middle);
    if (std::abs(weight - wanted) <= error) return std::nullopt;
    if (weight > wanted) {
      end = middle;
    } else {
      begin = middle;
      before = weight;
    }
  }
  std::sort(at(begin), at(end), is_more_likely);
  for (size_t i = begin; i < end; ++i) {
    before += candidates_[i].weight;
    if (std::abs(before - wanted) <= error) return std::nullopt;
    if (before > wanted) return Crossing{i, before};
  }
  return std::nullopt;
}

}  // namespace kvasir
