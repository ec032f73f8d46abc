// PickedRows brings the cold rows that the tokens of a CSA layer picked into memory. It takes as
// many tokens at a time as the row cache has room for. While one group is attended, the next one's
// rows are read.
#pragma once

#include <cstdint>

#include "kvasir/result.h"
#include "model/deepseek_v4/pass.h"

namespace kvasir::model::deepseek_v4 {

struct TokenRange {
  int64_t begin = 0;
  int64_t end = 0;
};

class PickedRows {
 public:
  // After pick_rows. Starts reading for the first tokens; until next() there is time to compute.
  PickedRows(Pass& pass, int64_t layer);

  // The next tokens: where their rows lie is in work.picked_rows, or (sequences that are in memory
  // as a whole) the sequence knows. Empty: all are done. Error: rows could not be read; the
  // sequences of the pass are of no further use.
  Result<TokenRange> next();

 private:
  void begin_group();

  Pass& pass_;
  int64_t stream_;  // compressed rows
  int64_t tokens_per_group_;
  TokenRange group_;         // the next
  bool is_reading_ = false;  // rows of that group
};

}  // namespace kvasir::model::deepseek_v4
