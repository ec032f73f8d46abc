// A RemoteCost says what remote engines hold of a load, and what a server moves that goes on with
// one of its sequences (docs/plan.md). Pure functions of plain values.
#pragma once

#include <cstdint>

#include "kvasir/plan.h"

namespace kvasir::plan {

struct RemoteCost {
  RecordSizes records;
  double bytes_per_token = 0;  // of blocks
  // All sequences: whole blocks, a state every 4,096 tokens and one at each end.
  int64_t held_objects = 0;
  int64_t held_bytes = 0;
  // One sequence: its whole blocks and one state.
  int64_t resumed_objects = 0;
  int64_t resumed_bytes = 0;
  double resume_s = 0;
};

// REQUIRES: link_bits_per_s > 0.
RemoteCost remote_cost(const RecordSizes& records, const Load& load, int64_t link_bits_per_s);

}  // namespace kvasir::plan
