// A Sampler chooses one token id by its logits. It allocates when made, not when sampling, unless
// there are penalties. One thread at a time.
//
// The draw is defined over all candidates in order, the most likely first, ties to the lower id.
// Their weights are added up in that order, top_p and min_p cut the list, and the draw walks down
// what is left. Sorting a vocabulary takes longer than all the rest. So the sampler adds up parts
// of the order unsorted and closes in on the place where the walk ends. Where rounding could choose
// another token, it sorts the list after all. The draw is always the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/logit_adjuster.h"
#include "grammar/follower.h"
#include "kvasir/generate.h"
#include "kvasir/result.h"

namespace kvasir {

class Sampler {
 public:
  Sampler(const SamplingOptions& options, int64_t vocab_size);

  // The prompt, for the repetition penalty. REQUIRES: called before the first sample, with ids of
  // the vocabulary.
  void set_prompt(std::span<const int32_t> prompt);
  // Returns the id of the token at `position`, one of `allowed`; null: of all. logits [vocab]. For
  // the penalties every id that was returned belongs to the reply. Errors: a logit that is not
  // finite, every token is forbidden.
  Result<int32_t> sample(std::span<const float> logits, int64_t position,
                         const grammar::TokenMask* allowed = nullptr);

 private:
  struct Candidate {
    float logit;
    int32_t id;
    double weight;  // exp((logit - highest) / temperature)
  };

  // The logits, kForbiddenLogit where they are not allowed.
  std::span<const float> only_allowed(std::span<const float> logits,
                                      const grammar::TokenMask& allowed);
  // `best` is the most likely one.
  int32_t choose(std::span<const float> logits, size_t best, int64_t position);

  static bool is_more_likely(const Candidate& a, const Candidate& b);
  // Those of `lowest` and more. REQUIRES: maxima_ of these logits.
  void fill_candidates(std::span<const float> logits, float lowest);
  // Returns a logit that the top_k most likely candidates reach, if they are cut; else the lowest.
  float kth_maximum();
  void weigh(double highest);
  double weight_of(size_t begin, size_t end) const;

  // Draws as the definition says. REQUIRES: candidates in order.
  int32_t draw_in_order(double uniform) const;
  size_t cut_by_probability(double total_weight) const;

  // Draws the same from candidates in any order, which may be the most likely alone. total: the
  // weight of all, known to within total_error. Null: rounding could decide, or it is none of
  // these.
  std::optional<int32_t> draw_unsorted(double uniform, double total, double total_error);
  // Weighs no more of the vocabulary than the draw needs. Null: it needs much, or rounding could
  // decide.
  std::optional<int32_t> draw_of_most_likely(std::span<const float> logits, float highest,
                                             double uniform);
  // Finds the first place in order at which the weights up to and with it pass `wanted`. Afterwards
  // candidates [0, index] are the first ones in order. REQUIRES: candidates [0, count) are. Null:
  // an error of that size could decide.
  struct Crossing {
    size_t index = 0;
    double weight = 0;  // up to and with it
  };
  std::optional<Crossing> cross(double wanted, size_t count, double error);

  SamplingOptions options_;
  int64_t vocab_size_;
  std::optional<LogitAdjuster> adjuster_;  // none: the logits are taken as they are
  std::vector<Candidate> candidates_;      // [vocab]
  std::vector<float> allowed_logits_;      // [vocab]; empty until something is not allowed
  std::vector<float> maxima_;              // of the blocks of the logits that are sampled from
  std::vector<float> ordered_maxima_;      // scratch
};

}  // namespace kvasir
