// The indexer of a CSA layer chooses the compressed rows that a token attends
// (deepseek_v4.md section 5).
#pragma once

#include <cstdint>

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// Reads work.input and work.query_rank. Writes the index keys that the pass completes. Then writes
// for every token the rows it attends, ascending, into work.picked [n, K] and work.picked_count
// [n]. While no more than K rows are visible, all are picked and nothing is scored.
void pick_rows(Pass& pass, int64_t layer, const IndexerWeights& weights);

}  // namespace kvasir::model::deepseek_v4
