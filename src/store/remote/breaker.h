// A Breaker keeps everybody from an engine that fails, so that its failures cost a request nothing.
//
// It opens after three failures in a row, or when half of the last twenty calls failed. Then one
// call at a time is let through to try, after 1 s, 2 s, 4 s ... 60 s, each a random part earlier;
// the first that succeeds closes it. There is one for all connections to an engine. Any thread.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "base/random.h"

namespace kvasir::store::remote {

class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Breaker(uint64_t seed) : random_(seed) {}

  // Whether a call may be made now. Who was let through says how it went.
  bool admit(Time now);
  // Whether admit() would let a call through.
  bool would_admit(Time now) const;
  void succeeded();
  void failed(Time now);
  // Opens it at once: the engine gives answers that are wrong.
  void open(Time now);

  bool is_open() const;
  int64_t openings() const;

 private:
  static constexpr int kFailuresInARow = 3;
  static constexpr size_t kRemembered = 20;

  bool would_admit_locked(Time now) const;
  void open_locked(Time now);
  void forget_locked();

  mutable std::mutex mutex_;
  Random random_;
  std::bitset<kRemembered> failures_;  // of the last calls, a ring
  size_t next_ = 0;
  int in_a_row_ = 0;
  bool is_open_ = false;
  bool is_trying_ = false;  // one call is under way while it is open
  Time try_at_{};
  std::chrono::seconds wait_{1};
  int64_t openings_ = 0;
};

}  // namespace kvasir::store::remote
