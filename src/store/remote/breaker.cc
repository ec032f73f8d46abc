#include "store/remote/breaker.h"

#include <algorithm>

namespace kvasir::store::remote {
namespace {

constexpr std::chrono::seconds kWaitMax(60);
constexpr double kJitter = 0.25;  // of a wait

}  // namespace

bool Breaker::would_admit_locked(Time now) const {
  return !is_open_ || (!is_trying_ && now >= try_at_);
}

bool Breaker::would_admit(Time now) const {
  const std::lock_guard lock(mutex_);
  return would_admit_locked(now);
}

bool Breaker::admit(Time now) {
  const std::lock_guard lock(mutex_);
  if (!would_admit_locked(now)) return false;
  is_trying_ = is_open_;
  return true;
}

void Breaker::forget_locked() {
  failures_.reset();
  next_ = 0;
  in_a_row_ = 0;
}

void Breaker::succeeded() {
  const std::lock_guard lock(mutex_);
  in_a_row_ = 0;
  failures_[next_] = false;
  next_ = (next_ + 1) % kRemembered;
  // An answer to a call from before it opened says less than the failures that opened it.
  if (!is_open_ || !is_trying_) return;
  is_open_ = is_trying_ = false;
  wait_ = std::chrono::seconds(1);
  forget_locked();
}

void Breaker::failed(Time now) {
  const std::lock_guard lock(mutex_);
  failures_[next_] = true;
  next_ = (next_ + 1) % kRemembered;
  ++in_a_row_;
  if (is_open_) {
    if (!is_trying_) return;
    wait_ = std::min(wait_ * 2, kWaitMax);
    open_locked(now);
  } else if (in_a_row_ >= kFailuresInARow || failures_.count() * 2 >= kRemembered) {
    open_locked(now);
  }
}

void Breaker::open(Time now) {
  const std::lock_guard lock(mutex_);
  open_locked(now);
}

void Breaker::open_locked(Time now) {
  openings_ += !is_open_;
  is_open_ = true;
  is_trying_ = false;
  const std::chrono::duration<double> wait = wait_ * (1 - kJitter * random_.unit());
  try_at_ = now + std::chrono::duration_cast<Time::duration>(wait);
  forget_locked();
}

bool Breaker::is_open() const {
  const std::lock_guard lock(mutex_);
  return is_open_;
}

int64_t Breaker::openings() const {
  const std::lock_guard lock(mutex_);
  return openings_;
}

}  // namespace kvasir::store::remote
