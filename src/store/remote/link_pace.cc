#include "store/remote/link_pace.h"

#include <algorithm>

namespace kvasir::store::remote {
namespace {

// Over so long the rate is looked at.
constexpr std::chrono::seconds kSpan{1};

}  // namespace

LinkPace::LinkPace(const LinkLimits& limits, Deadline deadline)
    : limits_(limits), deadline_(deadline), base_(Clock::now()) {}

std::chrono::nanoseconds LinkPace::time_of(int64_t bytes) const {
  const double seconds = static_cast<double>(bytes) /
                         static_cast<double>(std::max<int64_t>(limits_.bytes_per_s_min, 1));
  return std::chrono::nanoseconds(static_cast<int64_t>(std::min(seconds, 1e6) * 1e9));
}

void LinkPace::move_on(int64_t bytes, Clock::time_point now) {
  base_ = std::max(base_, std::min(now, base_ + time_of(bytes)));
}

void LinkPace::sent(int64_t bytes, Clock::time_point now) {
  unanswered_bytes_ += bytes;
  move_on(bytes, now);
}

void LinkPace::received(int64_t bytes, Clock::time_point now) {
  // The first byte ends a wait that had another limit.
  if (!has_begun_) base_ = now;
  has_begun_ = true;
  move_on(bytes, now);
}

void LinkPace::answered(int64_t request_bytes, Clock::time_point now) {
  unanswered_bytes_ -= request_bytes;
  move_on(request_bytes, now);
}

Deadline LinkPace::until() const {
  const std::chrono::nanoseconds patience =
      has_begun_ ? std::chrono::nanoseconds(kSpan) : std::chrono::nanoseconds(limits_.first_byte);
  return std::min(deadline_, base_ + patience + time_of(unanswered_bytes_));
}

Error LinkPace::overdue(const std::string& where) const {
  if (Clock::now() >= deadline_) {
    return Error{.kind = ErrorKind::kInterrupted,
                 .what = "the engine has not answered by the deadline",
                 .where = where};
  }
  return Error{.kind = ErrorKind::kIo,
               .what = has_begun_ ? "the engine is too slow" : "the engine does not answer",
               .where = where};
}

}  // namespace kvasir::store::remote
