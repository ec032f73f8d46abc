// PickedRows brings the cold rows that the tokens of a batch picked into memory. It takes as many
// tokens at a time as the row cache has room for. While one group is attended, the next one's rows
// are read. It owns no rows. One thread.
//
// For example, take a row cache of 4,096 rows and 512 picks a token: a group may have half of the
// rows, so 4 tokens. A batch of 10 tokens comes as [0, 4), [4, 8), [8, 10), then [10, 10): the end.
#pragma once

#include <cstdint>

#include "kv/row_cache.h"
#include "kvasir/result.h"
#include "ops/attention_steps.h"

namespace kvasir::ops {

class PickedRows {
 public:
  // Starts reading for the first tokens; until next() there is time to compute. REQUIRES: pick_rows
  // ran, and row_cache is there where the batch has cold parts.
  // stream: of the rows; where these are not picked (or -1: there are none), or all are in memory,
  // next() gives all tokens at once.
  PickedRows(const Batch& batch, int64_t stream, const Picks& picks, kv::RowCache* row_cache);

  // Returns the next tokens. picks.places says where their rows lie; of a sequence that is in
  // memory as a whole, the sequence does. Empty: all are done. Error: rows could not be read; the
  // sequences of the batch are of no further use.
  Result<TokenRange> next();

 private:
  void begin_group();

  const Batch& batch_;
  int64_t stream_;
  Picks picks_;
  kv::RowCache* row_cache_;
  int64_t tokens_per_group_ = 0;
  TokenRange group_;         // the next
  bool is_reading_ = false;  // rows of that group
};

}  // namespace kvasir::ops
