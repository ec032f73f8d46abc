// A LinkPace says how long to wait for an engine's next byte: LinkLimits and the call's deadline as
// one time. An engine that has not begun to answer is given up soon; one that sends must keep up
// its rate, and is in no debt for what it did faster before. What was written has to travel too:
// the engine is not asked to have answered it sooner than at that rate. A plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "kvasir/result.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

class LinkPace {
 public:
  LinkPace(const LinkLimits& limits, Deadline deadline);

  // Waiting begins now.
  void restart(Clock::time_point now) { base_ = now; }
  // Bytes went out that are to be answered.
  void sent(int64_t bytes, Clock::time_point now);
  // Bytes came.
  void received(int64_t bytes, Clock::time_point now);
  // An answer was whole; so long had been what it answers.
  void answered(int64_t request_bytes, Clock::time_point now);

  // Longer is not waited.
  Deadline until() const;
  Deadline deadline() const { return deadline_; }
  // What it means that `until()` came first.
  Error overdue(const std::string& where) const;

 private:
  std::chrono::nanoseconds time_of(int64_t bytes) const;
  void move_on(int64_t bytes, Clock::time_point now);

  LinkLimits limits_;
  Deadline deadline_;
  Clock::time_point base_;  // up to here the rate was kept
  int64_t unanswered_bytes_ = 0;
  bool has_begun_ = false;
};

}  // namespace kvasir::store::remote
