#include "plan/remote_cost.h"

#include <vector>

#include "base/check.h"
#include "plan/cost.h"

namespace kvasir::plan {
namespace {

// Asking how deep a prefix goes, and the first answers.
constexpr double kBeginS = 0.020;
// What is left of a link's rate behind the headers of its packets.
constexpr double kPayloadShare = 0.94;

// The records of a load, each of `block` and `state` something.
std::vector<Term> terms_of(int64_t block, int64_t state) {
  return {
      {.bytes = block, .growth = per_block(Growth::Rounding::kDown)},
      {.bytes = state, .growth = {.is_fixed = true}, .is_state = true},
      {.bytes = state, .growth = {.unit_tokens = persist::kStateIntervalTokens}, .is_state = true}};
}

}  // namespace

RemoteCost remote_cost(const RecordSizes& records, const Load& load, int64_t link_bits_per_s) {
  KVASIR_CHECK(link_bits_per_s > 0, "a link that moves something");
  const int64_t states = records.state_bytes > 0 ? 1 : 0;
  const int64_t blocks = per_block(Growth::Rounding::kDown).count(load.context_tokens);
  RemoteCost cost{.records = records,
                  .bytes_per_token = static_cast<double>(records.block_bytes) /
                                     static_cast<double>(kv::kBlockTokens),
                  .held_objects = bytes_of(terms_of(1, states), load),
                  .held_bytes = bytes_of(terms_of(records.block_bytes, records.state_bytes), load),
                  .resumed_objects = blocks + states,
                  .resumed_bytes = blocks * records.block_bytes + records.state_bytes};
  const double bytes_per_s = kPayloadShare * static_cast<double>(link_bits_per_s) / 8;
  cost.resume_s = kBeginS + static_cast<double>(cost.resumed_bytes) / bytes_per_s;
  return cost;
}

}  // namespace kvasir::plan
