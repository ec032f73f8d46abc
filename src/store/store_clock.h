// A StoreClock gives the dates of a store, in seconds since 1970, and notices a clock that was put
// back.
//
// Dates that a wrong clock gave are settled by the order in which things happened (dates.h).
// now_s() and date_s() may be called from any thread. settle() needs the store's write mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "store/shared_index.h"

namespace kvasir::store {

class StoreClock {
 public:
  // An empty function stands for the system's clock.
  explicit StoreClock(std::function<int64_t()> now_s) : now_s_function_(std::move(now_s)) {}

  int64_t now_s() const;
  // Returns the time for a record or a use, and remembers the latest that was given.
  int64_t date_s();
  // Whether dates were given that are in the future now, by more than kClockSlackS.
  bool was_put_back() const;
  // Gives every record and use in the index a date that is not in the future. It walks a copy, so
  // look-ups do not wait.
  void settle(SharedIndex& index);

 private:
  std::function<int64_t()> now_s_function_;
  std::atomic<int64_t> newest_s_ = 0;  // the latest date that was given
};

}  // namespace kvasir::store
