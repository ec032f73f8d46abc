// PickedRows brings the cold rows that the tokens of a batch picked into memory. It takes as many
// tokens at a time as the row cache has room for. While one group is attended, the next one's rows
// are read.
#pragma once

#include <cstdint>

#include "kv/row_cache.h"
#include "kvasir/result.h"
#include "ops/attention_steps.h"

namespace kvasir::ops {

class PickedRows {
 public:
  // After pick_rows. Starts reading for the first tokens; until next() there is time to compute.
  // stream: of the rows; where these are not picked (or -1: there are none), or all are in memory,
  // next() gives all tokens at once. REQUIRES: row_cache is there where the batch has cold parts.
  PickedRows(const Batch& batch, int64_t stream, const Picks& picks, kv::RowCache* row_cache);

  // The next tokens. Where their rows lie is in picks.places, or (sequences that are in memory as a
  // whole) the sequence knows. Empty: all are done. Error: rows could not be read; the sequences of
  // the batch are of no further use.
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
