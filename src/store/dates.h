// settle_dates() corrects dates that were told by clocks that may have been wrong.
//
// Sequence numbers say for certain in which order things happened, so a clock that stood wrong for
// a while costs no more than how far apart things were meanwhile. Pure functions of plain values.
#pragma once

#include <cstdint>
#include <vector>

namespace kvasir::store {

// A Moment is something that happened: a record was written, or used.
struct Moment {
  uint64_t sequence_number = 0;
  int64_t told_s = 0;         // what the clock said then, seconds since 1970
  int64_t* date_s = nullptr;  // where its date goes
};

// A clock that is wrong by no more than this is as good as right.
inline constexpr int64_t kClockSlackS = 3600;

// Gives every moment a date that is neither in the future nor before that of an earlier moment. A
// moment told in the future gets the date of the next one. A moment told before an earlier one gets
// the date of that. Example, with now_s = 10'000 and moments told 5'000, 90'000, 4'000, 7'000:
// their dates are 5'000, 5'000, 5'000, 7'000.
void settle_dates(std::vector<Moment> moments, int64_t now_s);

}  // namespace kvasir::store
