// measure_row_reuse counts how often the rows that a model's tokens pick come again, and how many
// of them a row cache of some size would have had. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/row_policies.h"
#include "kvasir/engine.h"

namespace kvasir::bench {

struct RowReuse {
  int64_t tokens = 0;
  int64_t measured_tokens = 0;  // the second half
  double kept_share = 0;        // of a token's picks, those of the token before
  double recent_share = 0;      // those of one of the sixteen before
  int64_t row_count = 0;        // compressed CSA rows there are at the end
  struct Size {
    int64_t rows = 0;
    PolicyHits hits;
  };
  std::vector<Size> sizes;
};

// Reads the first `token_count` tokens of `text`. Error: the text has fewer, or too few for the
// indexer to choose.
Result<RowReuse> measure_row_reuse(EngineOptions options, const std::string& text,
                                   int64_t token_count);

}  // namespace kvasir::bench
