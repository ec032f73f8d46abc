#include "engine/logit_adjuster.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace kvasir {
namespace {

constexpr int32_t kUnseen = -1;
constexpr float kForbiddingBias = -100;

// An option may be so large that the logit leaves the range of its type.
float to_finite_float(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

bool has_penalty(const SamplingOptions& options) {
  return options.presence_penalty != 0 || options.frequency_penalty != 0 ||
         options.repetition_penalty != 1;
}

}  // namespace

bool LogitAdjuster::is_needed(const SamplingOptions& options) {
  return !options.logit_bias.empty() || has_penalty(options);
}

LogitAdjuster::LogitAdjuster(const SamplingOptions& options, int64_t vocab_size)
    : biases_(options.logit_bias),
      presence_penalty_(options.presence_penalty),
      frequency_penalty_(options.frequency_penalty),
      repetition_penalty_(options.repetition_penalty),
      reply_counts_(has_penalty(options) ? static_cast<size_t>(vocab_size) : 0, kUnseen),
      adjusted_(static_cast<size_t>(vocab_size)) {
  for (const LogitBias& one : biases_) {
    KVASIR_CHECK(one.id >= 0 && one.id < vocab_size, "a bias of the vocabulary");
  }
}

void LogitAdjuster::set_prompt(std::span<const int32_t> prompt) {
  if (repetition_penalty_ == 1) return;
  for (const int32_t id : prompt) see(id);
}

void LogitAdjuster::add(int32_t id) {
  if (reply_counts_.empty()) return;
  see(id);
  ++reply_counts_[static_cast<size_t>(id)];
}

void LogitAdjuster::see(int32_t id) {
  KVASIR_CHECK(id >= 0 && id < std::ssize(reply_counts_), "an id of the vocabulary");
  int32_t& count = reply_counts_[static_cast<size_t>(id)];
  if (count != kUnseen) return;
  count = 0;
  seen_ids_.push_back(id);
}

std::span<const float> LogitAdjuster::adjust(std::span<const float> logits) {
  KVASIR_CHECK(logits.size() == adjusted_.size(), "logits of the vocabulary");
  std::copy(logits.begin(), logits.end(), adjusted_.begin());
  for (const auto& [id, bias] : biases_) adjusted_[static_cast<size_t>(id)] += bias;
  for (const int32_t id : seen_ids_) {
    float& logit = adjusted_[static_cast<size_t>(id)];
    logit = penalized(logit, reply_counts_[static_cast<size_t>(id)]);
  }
  for (const auto& [id, bias] : biases_) {
    if (bias > kForbiddingBias) continue;
    adjusted_[static_cast<size_t>(id)] = kForbiddenLogit;
  }
  return adjusted_;
}

float LogitAdjuster::penalized(float logit, int32_t reply_count) const {
  double value = logit;
  value = value > 0 ? value / repetition_penalty_ : value * repetition_penalty_;
  if (reply_count > 0) value -= presence_penalty_ + frequency_penalty_ * reply_count;
  return to_finite_float(value);
}

}  // namespace kvasir
