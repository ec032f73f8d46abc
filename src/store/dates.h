// Dates of what happened in a store, told by clocks that may have been wrong. The order in which
// things happened is certain (sequence numbers), so a clock that stood ahead or behind for a while
// costs no more than how far apart things were meanwhile.
#pragma once

#include <cstdint>
#include <vector>

namespace kvasir::store {

struct Moment {
  uint64_t sequence_number = 0;
  int64_t told_s = 0;         // what the clock said then, seconds since 1970
  int64_t* date_s = nullptr;  // where its date goes
};

// Clocks that differ by no more are as good as right.
inline constexpr int64_t kClockSlackS = 3600;

// Gives every moment a date that is not in the future, nor before what happened before it: what
// claims the future gets the date of what came next, what claims to be older than its past the date
// of that.
void settle_dates(std::vector<Moment> moments, int64_t now_s);

}  // namespace kvasir::store
