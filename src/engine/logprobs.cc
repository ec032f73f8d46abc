#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/logit_scan.h"

namespace kvasir {
namespace {

// The highest logits in order, ties to the lower id. The logprobs are still logits.
std::vector<TokenLogprob> top_logits(std::span<const float> logits, size_t count) {
  std::vector<TokenLogprob> top;
  top.reserve(count + 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (top.size() == count && (count == 0 || logits[i] <= top.back().logprob)) continue;
    // Behind those of the same logit: their ids are lower.
    const auto place =
        std::upper_bound(top.begin(), top.end(), logits[i],
                         [](float logit, const TokenLogprob& one) { return logit > one.logprob; });
    top.insert(place, {static_cast<int32_t>(i), logits[i]});
    if (top.size() > count) top.pop_back();
  }
  return top;
}

}  // namespace

Status check_finite(std::span<const float> logits, int64_t position) {
  if (are_finite(logits)) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the model computed a logit that is not finite",
               .where = "token position " + std::to_string(position),
               .remedy = "its weights are damaged or its activations overflow"};
}

Result<size_t> highest_logit(std::span<const float> logits, int64_t position) {
  KVASIR_RETURN_IF_ERROR(check_finite(logits, position));
  std::vector<float> maxima;
  block_maxima(logits, maxima);
  return highest_place(logits, maxima);
}

Result<SampledToken> logprobs_of(std::span<const float> logits, int64_t position, int32_t id,
                                 int top_count) {
  KVASIR_CHECK(id >= 0 && id < std::ssize(logits) && top_count >= 0, "an id of the vocabulary");
  KVASIR_ASSIGN_OR_RETURN(const size_t best, highest_logit(logits, position));
  const double highest = logits[best];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  const double log_sum = std::log(sum);
  const auto logprob = [&](float logit) { return static_cast<float>(logit - highest - log_sum); };
  SampledToken token{.id = id, .logprob = logprob(logits[static_cast<size_t>(id)])};
  token.most_likely = top_logits(logits, static_cast<size_t>(top_count));
  for (TokenLogprob& one : token.most_likely) one.logprob = logprob(one.logprob);
  return token;
}

}  // namespace kvasir
