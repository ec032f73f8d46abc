#include "ops/expert_reads.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/read_ahead.h"

namespace kvasir::ops {
namespace {

// What is asked for and not yet multiplied: enough to keep a device busy, little enough to be
// still there when its turn comes.
constexpr int64_t kAheadBytes = int64_t{256} << 20;

int64_t read_ahead(const kernels::WeightMatrix& weight) {
  // What lies in panels is in memory.
  if (weight.rows == 0 || weight.panels != nullptr) return 0;
  return kvasir::read_ahead(kernels::weight_scales(weight)) +
         kvasir::read_ahead(kernels::weight_codes(weight));
}

}  // namespace

void ExpertReads::start(std::span<const Mlp> experts, const ExpertGroups& groups) {
  KVASIR_CHECK(std::ssize(experts) == groups.expert_count, "groups of these experts");
  experts_ = experts;
  order_.clear();
  order_.reserve(experts.size());
  for (int64_t expert = 0; expert < groups.expert_count; ++expert) {
    if (groups.begin(expert) != groups.end(expert)) order_.push_back(static_cast<int32_t>(expert));
  }
  const kernels::WeightMatrix& up = experts.front().up;
  parts_ahead_ = kAheadBytes / (2 * up.rows * kernels::weight_row_bytes(up)) + 1;
  begun_parts_ = 0;
  next_part_ = 0;
  size_t present = 0;
  for (; next_part_ < std::min(parts_ahead_, std::ssize(order_)); ++next_part_) {
    if (ask(next_part_) > 0) continue;
    std::swap(order_[present++], order_[static_cast<size_t>(next_part_)]);
  }
  ask_while_free();
}

void ExpertReads::begin_part() {
  begun_parts_.fetch_add(1, std::memory_order_relaxed);
  ask_while_free();
}

void ExpertReads::ask_while_free() {
  const std::unique_lock lock(asking_, std::try_to_lock);
  if (!lock) return;  // another worker is at it
  while (next_part_ < part_count() &&
         next_part_ < begun_parts_.load(std::memory_order_relaxed) + parts_ahead_) {
    ask(next_part_++);
  }
}

int64_t ExpertReads::ask(int64_t part) const {
  const int64_t count = std::ssize(order_);
  const Mlp& mlp = experts_[static_cast<size_t>(order_[static_cast<size_t>(part % count)])];
  if (part >= count) return read_ahead(mlp.down);
  return read_ahead(mlp.gate) + read_ahead(mlp.up);
}

}  // namespace kvasir::ops
