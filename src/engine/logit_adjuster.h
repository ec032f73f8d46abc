// A LogitAdjuster applies SamplingOptions::logit_bias and the penalties to a copy of the logits. It
// counts the tokens of one prompt and reply. One thread at a time.
//
// Of each token, in this order: its bias is added; the repetition penalty divides a logit above 0
// and multiplies another one; the presence penalty, and the frequency penalty as often as the reply
// has the token, are subtracted.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kvasir/generate.h"

namespace kvasir {

// The logit of a token that must not be sampled.
constexpr float kForbiddenLogit = -std::numeric_limits<float>::infinity();

class LogitAdjuster {
 public:
  // Returns whether there is anything to adjust.
  static bool is_needed(const SamplingOptions& options);

  // REQUIRES: options in range, biases of ids of the vocabulary.
  LogitAdjuster(const SamplingOptions& options, int64_t vocab_size);

  // REQUIRES: called before add(), with ids of the vocabulary.
  void set_prompt(std::span<const int32_t> prompt);
  // Counts a token of the reply.
  void add(int32_t id);
  // Returns the adjusted logits, good until the next call; kForbiddenLogit where a bias
  // forbids. logits [vocab], finite.
  std::span<const float> adjust(std::span<const float> logits);

 private:
  void see(int32_t id);
  float penalized(float logit, int32_t reply_count) const;

  std::vector<LogitBias> biases_;
  double presence_penalty_;
  double frequency_penalty_;
  double repetition_penalty_;
  std::vector<int32_t> reply_counts_;  // [vocab]; kUnseen: neither prompt nor reply has the id
  std::vector<int32_t> seen_ids_;      // each once
  std::vector<float> adjusted_;        // [vocab]
};

}  // namespace kvasir
