// ExpertReads orders the experts that tokens go to, and has those of their weights that are not in
// memory read a bounded number of bytes ahead of the products: first gate and up of each, then
// down of each, as Ops::run_experts multiplies them.
//
// It owns a list, which grows to as many experts as a layer has and then stays. One thread starts
// and finishes it; in between any number of workers may tell what they begin.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "ops/expert_steps.h"

namespace kvasir::ops {

class ExpertReads {
 public:
  // Looks which experts have tokens and asks for the first of their weights. Experts whose weights
  // are there come first, so that the others have time to arrive. `experts` must stay until the
  // next start.
  void start(std::span<const Mlp> experts, const ExpertGroups& groups);
  // Whether it was started for these groups and not yet finished.
  bool is_started() const { return !experts_.empty(); }
  void finish() { experts_ = {}; }

  // The experts that have tokens, in the order in which they are to be multiplied.
  std::span<const int32_t> order() const { return order_; }
  // A worker begins with gate and up, or with down, of one of them: more may be asked for.
  void begin_part();

 private:
  int64_t part_count() const { return 2 * static_cast<int64_t>(order_.size()); }
  void ask_while_free();
  // Asks for what a part of the products needs: gate and up of every expert of the order in turn,
  // then down of every one. Returns the bytes that are not there.
  int64_t ask(int64_t part) const;

  std::span<const Mlp> experts_;
  std::vector<int32_t> order_;
  int64_t parts_ahead_ = 1;
  std::mutex asking_;
  int64_t next_part_ = 0;  // under asking_
  std::atomic<int64_t> begun_parts_{0};
};

}  // namespace kvasir::ops
