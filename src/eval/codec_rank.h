// rank_codecs orders precisions by size and says which are worth their bytes. Pure functions.
#pragma once

#include <vector>

#include "eval/codec_scores.h"

namespace kvasir::eval {

// What a divergence of that size is called, by the mean KL of a small model's predictions: larger
// models lose less.
const char* quality_of(double kl);

struct RankedCodec {
  CodecScores scores;
  bool is_on_frontier = false;  // none of no more bits has less divergence
};

// By falling bits, of equals the better first.
std::vector<RankedCodec> rank_codecs(std::vector<CodecScores> scores);

}  // namespace kvasir::eval
