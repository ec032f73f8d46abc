#include "eval/codec_rank.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kvasir::eval {

const char* quality_of(double kl) {
  if (kl < 0.0005) return "lossless";
  if (kl < 0.004) return "as FP8";
  if (kl < 0.012) return "good 4 bits";
  if (kl < 0.06) return "3 bits";
  return "experimental";
}

std::vector<RankedCodec> rank_codecs(std::vector<CodecScores> scores) {
  std::stable_sort(scores.begin(), scores.end(), [](const CodecScores& a, const CodecScores& b) {
    return std::tuple(-a.bits(), a.texts.kl.value) < std::tuple(-b.bits(), b.texts.kl.value);
  });
  std::vector<RankedCodec> ranked;
  for (CodecScores& one : scores) {
    const auto beats = [&one](const CodecScores& other) {
      const bool is_no_worse =
          other.bits() <= one.bits() && other.texts.kl.value <= one.texts.kl.value;
      return is_no_worse &&
             (other.bits() < one.bits() || other.texts.kl.value < one.texts.kl.value);
    };
    ranked.push_back({.is_on_frontier = std::none_of(scores.begin(), scores.end(), beats)});
  }
  for (size_t i = 0; i < ranked.size(); ++i) ranked[i].scores = std::move(scores[i]);
  return ranked;
}

}  // namespace kvasir::eval
