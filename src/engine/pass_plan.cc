#include "engine/pass_plan.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace kvasir {
namespace {

constexpr double kNewShare = 0.3;  // of the newest measurement in a smoothed one
// Of the time given, where the decoders alone take it all.
constexpr double kPromptShare = 0.5;
// As long as nothing was measured.
constexpr int64_t kFirstPieceTokens = 16;

double smoothed(double old, double measured) {
  return old == 0 ? measured : old + kNewShare * (measured - old);
}

}  // namespace

void PassPace::add(int64_t decoder_count, int64_t prefill_tokens, double ms) {
  if (prefill_tokens == 0) {
    decode_ms_ = smoothed(decode_ms_, ms);
    return;
  }
  const double beside = decoder_count > 0 ? std::min(decode_ms_, ms / 2) : 0;
  last_prefill_ms_per_token_ = (ms - beside) / static_cast<double>(prefill_tokens);
  prefill_ms_per_token_ = smoothed(prefill_ms_per_token_, last_prefill_ms_per_token_);
}

int64_t PassPace::prefill_tokens_within(double ms_max) const {
  if (prefill_ms_per_token_ == 0) return kFirstPieceTokens;
  // Deeper prompts are slower, so the slower of both measurements counts.
  const double ms_per_token = std::max(prefill_ms_per_token_, last_prefill_ms_per_token_);
  const double ms = std::max(ms_max - decode_ms_, kPromptShare * ms_max);
  return std::max(int64_t{1}, static_cast<int64_t>(ms / ms_per_token));
}

double PassPace::prefill_tokens_per_ms() const {
  return prefill_ms_per_token_ == 0 ? 0 : 1 / prefill_ms_per_token_;
}

std::vector<PrefillPiece> share_out(std::span<const PrefillDemand> demands, int64_t tokens_max,
                                    double tokens_per_ms) {
  std::vector<size_t> order(demands.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto work = [&](size_t i) {
    return static_cast<double>(demands[i].left_tokens) - demands[i].waited_ms * tokens_per_ms;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return work(a) < work(b); });
  std::vector<PrefillPiece> pieces;
  for (const size_t i : order) {
    if (tokens_max <= 0) break;
    KVASIR_CHECK(demands[i].cut_tokens > 0 && demands[i].cut_tokens <= demands[i].left_tokens,
                 "a prompt with tokens to do");
    const int64_t tokens = std::min(demands[i].cut_tokens, tokens_max);
    pieces.push_back({.demand = i, .tokens = tokens});
    tokens_max -= tokens;
  }
  return pieces;
}

}  // namespace kvasir
