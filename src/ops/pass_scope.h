// A PassScope is the span of a pass, which ends with it: parts are timed, and where the pool's
// threads are bound to processors, so is the thread that runs the pass. One at a time for a pool.
#pragma once

#include <cstdint>

#include "base/processors.h"
#include "base/thread_pool.h"
#include "ops/part_clock.h"

namespace kvasir::ops {

class [[nodiscard]] PassScope {
 public:
  PassScope(ThreadPool& pool, PartClock& clock, int64_t token_count)
      : bound_(pool.calling_processor()), pool_(pool), clock_(clock) {
    clock_.begin_pass(pool_, token_count);
  }
  ~PassScope() { clock_.end_pass(pool_); }
  PassScope(const PassScope&) = delete;
  PassScope& operator=(const PassScope&) = delete;

 private:
  BoundHere bound_;
  ThreadPool& pool_;
  PartClock& clock_;
};

}  // namespace kvasir::ops
