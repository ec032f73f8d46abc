// These decide what one pass of a scheduler computes: how much of the prompts that wait goes beside
// the sessions that decode. Pure of any session, so that their tests are numbers. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvasir {

// A PassPace learns how long passes take.
class PassPace {
 public:
  // A pass over that many decoding sessions and tokens of prompts took so long.
  void add(int64_t decoder_count, int64_t prefill_tokens, double ms);

  // Returns how many tokens of prompts go into a pass of at most `ms_max` with the sessions that
  // decode. Where those take most of it, prompts get half of it besides; one token at least.
  int64_t prefill_tokens_within(double ms_max) const;
  // Returns how fast prompts are computed; 0: not known yet.
  double prefill_tokens_per_ms() const;

 private:
  double decode_ms_ = 0;             // of a pass that decodes alone
  double prefill_ms_per_token_ = 0;  // smoothed
  double last_prefill_ms_per_token_ = 0;
};

// What is left to do of one prompt.
struct PrefillDemand {
  int64_t left_tokens = 0;
  int64_t cut_tokens = 0;  // no pass goes beyond so many; at most left_tokens
  double waited_ms = 0;    // since it was submitted
};

struct PrefillPiece {
  size_t demand = 0;  // index
  int64_t tokens = 0;
};

// Shares `tokens_max` out, one piece a demand at most. The demand with the least left goes first;
// each millisecond waited counts as tokens_per_ms tokens that are done, so that a long prompt is
// overtaken for no longer than it takes to compute alone. For example at 0.5 tokens per ms a prompt
// of 20,000 tokens that has waited 39 s goes before one of 501 that came just now.
std::vector<PrefillPiece> share_out(std::span<const PrefillDemand> demands, int64_t tokens_max,
                                    double tokens_per_ms);

}  // namespace kvasir
