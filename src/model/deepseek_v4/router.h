// The router says which experts a token goes to, and with what weights (deepseek_v4.md section 7).
#pragma once

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

// work.input -> work.expert_ids and work.expert_scores [n, e]; then the order of the slots by
// expert: work.grouped_slots, work.slot_rows, work.expert_starts.
void route(Pass& pass, const MoeWeights& weights);

}  // namespace kvasir::model::deepseek_v4
