// A PartClock charges the time of passes to their parts, for a PassMeter that is on.
//
// Steps open a PartScope. The first that is open counts: a step that consists of others is one
// part. A clock belongs to an Ops and is used on the thread that runs passes. While it stands, a
// scope costs one comparison.
#pragma once

#include <chrono>

#include "base/thread_pool.h"
#include "kernels/weight_matrix.h"
#include "kvasir/pass_meter.h"

namespace kvasir::ops {

// All that is stored of a matrix, its scales too.
int64_t weight_bytes(const kernels::WeightMatrix& weight);

class PartClock {
 public:
  // meter: null, or it outlives the clock.
  void set_meter(PassMeter* meter) { meter_ = meter; }

  // A pass of so many tokens begins; its loops run on `pool`. Nothing where the meter is off.
  void begin_pass(ThreadPool& pool, int64_t token_count);
  void end_pass(ThreadPool& pool);

  bool is_running() const { return is_running_; }
  bool is_in_part() const { return part_ != PassPart::kOther; }
  // REQUIRES: it runs.
  void enter(PassPart part);
  // Adds to the part that is open. REQUIRES: it runs.
  void add(int64_t bytes, int64_t multiply_adds);
  // The product of so many tokens with a matrix.
  void add_product(const kernels::WeightMatrix& weight, int64_t token_count);

 private:
  using Clock = std::chrono::steady_clock;

  PassMeter* meter_ = nullptr;
  bool is_running_ = false;
  PassPart part_ = PassPart::kOther;
  Clock::time_point since_;
  PoolTimes pool_times_;
};

// A PartScope is the span of one step.
class PartScope {
 public:
  PartScope(PartClock& clock, PassPart part)
      : clock_(clock.is_running() && !clock.is_in_part() ? &clock : nullptr) {
    if (clock_ != nullptr) clock_->enter(part);
  }
  ~PartScope() {
    if (clock_ != nullptr) clock_->enter(PassPart::kOther);
  }
  PartScope(const PartScope&) = delete;
  PartScope& operator=(const PartScope&) = delete;

 private:
  PartClock* clock_;
};

}  // namespace kvasir::ops
